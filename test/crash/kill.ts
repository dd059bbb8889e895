// Kills a real server with SIGKILL again and again while it takes writes, and starts it again on
// the same data directory: `node test/crash/kill.ts [--kills 20] [--seed 1]`.
//
// KIL1  After each start every acknowledged put is there, with the revision it was acknowledged
//       with; a put whose answer never came may be there or not, and nothing else.
// KIL2  The store's revision is never below one seen before.
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";

import type { Random } from "../../src/base/ports.ts";
import { createRandom } from "../../src/base/random.ts";
import { quorateProgram, startServer, type Server } from "../conformance/servers.ts";
import { openRawKv, type RawKv } from "./raw-kv.ts";

const connections = 4;
const writersPerConnection = 16;
const keysPerWriter = 50;
const loadMsMin = 100;
const loadMsSpread = 700;
const first = "kill/";
const end = "kill0";

interface Slot {
  /** Last acknowledged value and its revision; undefined before the first. */
  acknowledged: { readonly value: string; readonly revision: number } | undefined;
  /** The put that was not answered yet, or whose answer was lost. */
  inFlight: string | undefined;
}

/** One writer with one put in flight, until the server goes away. */
async function write(
  kv: RawKv,
  writer: number,
  slots: Map<string, Slot>,
  start: number,
): Promise<number> {
  for (let n = start; ; n++) {
    const key = `${first}${writer}/${n % keysPerWriter}`;
    const slot = slots.get(key) ?? { acknowledged: undefined, inFlight: undefined };
    slots.set(key, slot);
    const value = `${writer}.${n}`;
    slot.inFlight = value;
    try {
      slot.acknowledged = { value, revision: await kv.put(key, value) };
      slot.inFlight = undefined;
    } catch {
      return n + 1; // the server was killed: this put may or may not have happened
    }
  }
}

/** What KIL1 and KIL2 say of the store after a start; empty when all is well. */
async function violations(
  server: Server,
  slots: Map<string, Slot>,
  seen: number,
): Promise<string[]> {
  const kv = openRawKv(server.endpoint);
  const { revision, keys } = await kv.range(first, end);
  kv.close();
  const found: string[] = [];
  if (revision < seen) found.push(`revision ${revision} after ${seen} (KIL2)`);
  for (const [key, slot] of slots) {
    const stored = keys.get(key);
    const { acknowledged, inFlight } = slot;
    const isAcknowledged =
      acknowledged !== undefined &&
      stored?.value === acknowledged.value &&
      stored.modRevision === acknowledged.revision;
    const isInFlight = inFlight !== undefined && stored?.value === inFlight;
    const isNothing = acknowledged === undefined && stored === undefined;
    if (isAcknowledged || isInFlight || isNothing) continue;
    found.push(
      `${key}: acknowledged ${JSON.stringify(acknowledged)}, unanswered ${inFlight ?? "none"}, ` +
        `stored ${JSON.stringify(stored)} (KIL1)`,
    );
  }
  for (const key of keys.keys()) if (!slots.has(key)) found.push(`${key} was never written (KIL1)`);
  for (const [key, slot] of slots) {
    const stored = keys.get(key);
    if (stored === undefined) continue;
    slot.acknowledged = { value: stored.value, revision: stored.modRevision };
    slot.inFlight = undefined;
  }
  return found;
}

/** Load until the kill; returns the highest revision acknowledged and where each writer stopped. */
async function loadAndKill(
  server: Server,
  slots: Map<string, Slot>,
  starts: number[],
  random: Random,
): Promise<void> {
  const clients = Array.from({ length: connections }, () => openRawKv(server.endpoint));
  const writers = starts.map((start, writer) => {
    const kv = clients[writer % connections];
    return kv === undefined ? Promise.resolve(start) : write(kv, writer, slots, start);
  });
  await delay(loadMsMin + random.below(loadMsSpread));
  await server.end("SIGKILL");
  for (const [writer, next] of (await Promise.all(writers)).entries()) starts[writer] = next;
  for (const client of clients) client.close();
}

function highestAcknowledged(slots: Map<string, Slot>): number {
  let highest = 0;
  for (const { acknowledged } of slots.values()) {
    highest = Math.max(highest, acknowledged?.revision ?? 0);
  }
  return highest;
}

/** Runs the test against a server program; returns every violation found. */
export async function killUnderLoad(
  program: string,
  kills: number,
  seed: number,
): Promise<{ readonly writes: number; readonly found: readonly string[] }> {
  const random = createRandom(seed);
  const slots = new Map<string, Slot>();
  const starts = Array.from({ length: connections * writersPerConnection }, () => 0);
  const server = await startServer({ label: "kill", program, flags: ["--log-level", "warn"] });
  try {
    for (let kill = 1; kill <= kills; kill++) {
      await loadAndKill(server, slots, starts, random);
      const seen = highestAcknowledged(slots);
      await server.restart();
      const found = await violations(server, slots, seen);
      if (found.length > 0) return { writes: seen, found: found.map((f) => `kill ${kill}: ${f}`) };
    }
    return { writes: highestAcknowledged(slots), found: [] };
  } finally {
    await server.close();
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "20" },
      seed: { type: "string", default: "1" },
      program: { type: "string", default: quorateProgram },
    },
  });
  const { writes, found } = await killUnderLoad(
    values.program,
    Number(values.kills),
    Number(values.seed),
  );
  for (const text of found) process.stdout.write(`${text}\n`);
  process.stdout.write(`${values.kills} kills, ${writes} writes, ${found.length} violations\n`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
