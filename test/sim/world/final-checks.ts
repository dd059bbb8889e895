/** What must hold at the end of a run, when all members are whole and idle. */

import { fromBinary } from "@bufbuild/protobuf";
import { concat } from "../../../src/base/bytes.ts";
import { emptyRange } from "../../../src/codec/kv.ts";
import { RangeResponseSchema } from "../../../src/gen/rpc_pb.js";
import { checkLeases } from "../../check/lease-rules.ts";
import { describe } from "../../check/history.ts";
import { checkLinearizable } from "../../check/linearizable.ts";
import { checkListAppend } from "../../check/list-append.ts";
import { checkConfs } from "../../check/membership-rules.ts";
import { checkRevisions } from "../../check/revision-rules.ts";
import { checkWatches } from "../../check/watch-history.ts";
import type { SimProcess } from "./process.ts";
import type { World } from "./world.ts";

export function finalChecks(world: World): void {
  checkHistory(world);
  checkConfigurations(world);
  checkWatchLogs(world);
  checkHashes(world);
  for (const process of world.standing) checkLeaseKeys(world, process);
  checkLeasesEnd(world);
}

/** L2: what nobody renewed since the cluster is whole is gone. */
function checkLeasesEnd(world: World): void {
  const leader = world.standing.find((process) => process.core!.node.isLeader);
  if (leader === undefined) return;
  const { lessor } = leader.core!.state;
  for (const { id, events } of world.recorder.leases) {
    const last = events.findLast(({ kind }) => kind !== "present" && kind !== "missing");
    const first = events[0]!;
    const ttlMs = first.kind === "granted" ? first.ttlMs : 0;
    const since = world.scheduler.now - (last?.at ?? 0);
    if (since < ttlMs * clockRateMax + settledLateMsMax || !lessor.exists(BigInt(id))) continue;
    world.fail(`L2: lease ${id} of ${ttlMs} ms exists ${since.toFixed(0)} ms after its last use`);
  }
}

const settledLateMsMax = 8000;

/** L2: no key outlives its lease. */
function checkLeaseKeys(world: World, { core, birth }: SimProcess): void {
  const { store, lessor } = core!.state;
  const all = { ...emptyRange(), key: new Uint8Array([0]), rangeEnd: new Uint8Array([0]) };
  const outcome = store.range(all);
  if ("code" in outcome) throw outcome;
  const message = fromBinary(RangeResponseSchema, concat(outcome.chunks));
  for (const kv of message.kvs) {
    if (kv.lease === 0n || lessor.exists(kv.lease)) continue;
    world.fail(`L2: ${birth.name}: a key outlives its lease ${kv.lease}`);
  }
}

function checkHistory(world: World): void {
  const operations = world.recorder.possible();
  for (const text of checkRevisions(operations)) world.fail(text);
  const verdict = checkLinearizable(operations);
  if (verdict.result === "unknown") world.mark("check.linearizable-unknown");
  else if (verdict.result === "violation") {
    const { blocked, order, pending } = verdict.counterexample;
    const lines = [
      "G2: not linearizable",
      ...order.map((o) => `  done    ${describe(o)}`),
      `  blocked ${describe(blocked)}`,
      ...pending.map((o) => `  pending ${describe(o)}`),
    ];
    world.fail(lines.join("\n"));
  }
  for (const { kind, text } of checkListAppend(world.appends)) world.fail(`G2: ${kind}: ${text}`);
  const { electionMs } = world.options;
  const lateMsMax = leaseLateMsMax + 20 * electionMs + world.options.durationMs;
  for (const text of checkLeases(world.recorder.leases, { lateMsMax, clockRate: clockRateMax })) {
    world.fail(text);
  }
}

/** An end is bounded while a leader is there; while faults last nobody can promise one. */
const leaseLateMsMax = 10_000;
/** 5 % off, and what rounding to ticks adds. */
const clockRateMax = 1.06;

/** The first entries make the members of a new cluster: all at once, or after a restart in turn. */
function checkConfigurations(world: World): void {
  const { members } = world.options;
  const first = world.checks.confs.find(({ index }) => index === members);
  if (first === undefined) return;
  const later = world.checks.confs.filter(({ index }) => index >= members);
  for (const text of checkConfs(later, first.conf)) world.fail(text);
}

function checkWatchLogs(world: World): void {
  const { checks, recorder, standing } = world;
  const compactRevision = Math.max(...standing.map((p) => p.core!.state.store.compactRevision));
  const bounds = { compactRevision, settledRevision: checks.lastRevision };
  for (const text of checkWatches(recorder.watches, checks.changes, bounds)) world.fail(text);
}

/** Equal HashKV on all members at the last revision. */
function checkHashes(world: World): void {
  const hashes = new Map<string, string>();
  for (const process of world.standing) {
    world.scheduler.after(0, process.life!, () => {
      process.core!.state.store.hashKv(0, (outcome) => {
        const text = "hash" in outcome ? textOf(outcome) : outcome.message;
        hashes.set(process.birth.name, text);
      });
    });
  }
  const isDone = (): boolean => hashes.size === world.standing.length;
  world.scheduler.runUntil(isDone, world.scheduler.now + hashMsMax);
  if (!isDone()) world.fail("HashKV: no answer");
  const all = new Set(hashes.values());
  if (all.size > 1) {
    const list = [...hashes].map(([name, text]) => `${name} ${text}`);
    world.fail(`HashKV differs: ${list.join("; ")}`);
  }
  world.note(`hash ${[...all].join(" ")}`);
}

const hashMsMax = 10_000;

function textOf(hash: { hash: number; compactRevision: number; hashRevision: number }): string {
  return `${hash.hash.toString(16)} at ${hash.hashRevision} compacted ${hash.compactRevision}`;
}
