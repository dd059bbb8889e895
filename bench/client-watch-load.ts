// One client process that watches or keeps leases: `client-watch-load.ts KIND ENDPOINT OP COUNT
// SECONDS`. KIND is quorate or etcd3 (npm). OP:
//   history   ten watches read COUNT changes of a prefix from the first on, again and again
//   live      COUNT watches of one prefix, to which somebody writes
//   memory    COUNT watches of a key each; what they take
//   leases    COUNT leases of SECONDS kept alive for a few TTLs (quorate only)
// Prints one line of JSON. cpuUs is this process's time per event or renewal. Every event's key,
// value and revision are looked at.
import { setTimeout as delay } from "node:timers/promises";

import { Etcd3, type IWatchResponse } from "etcd3";

import { EtcdClient } from "../src/client/client.ts";
import type { KeepAlive } from "../src/client/types.ts";
import { benchLimits } from "./limits.ts";
import { memory } from "./process.ts";

const historyPrefix = "history/";
const livePrefix = "live/";
/** They read at the same time: a member reads its disk once for all, so the client has to work. */
const historyWatches = 10;
const warmUpMs = 1_000;
const grantsAtOnce = 100;
const ttlsWaited = 3;
const collections = 5;

interface Watches {
  /** Calls `seen` for each event once the watch is confirmed; ends by the function returned. */
  watch(prefix: string, from: number, seen: () => void): Promise<() => Promise<void>>;
  /** A watch of one key. */
  idle(key: string): Promise<unknown>;
}

let looked = 0;

function quorateWatches(client: EtcdClient): Watches {
  return {
    watch: async (prefix, from, seen) => {
      const start = from > 0 ? { startRevision: from } : {};
      const watcher = client.watch.watch(prefix, { prefix: true, ...start });
      watcher.on("event", ({ kv }) => {
        looked += kv.key.length + kv.value.length + kv.modRevision;
        seen();
      });
      await watcher.created;
      return () => watcher.cancel();
    },
    idle: (key) => client.watch.watch(key).created,
  };
}

function etcd3Watches(client: Etcd3): Watches {
  return {
    watch: async (prefix, from, seen) => {
      const builder = client.watch().prefix(prefix);
      if (from > 0) builder.startRevision(String(from));
      const watcher = builder.watcher();
      watcher.on("data", ({ events }: IWatchResponse) => {
        for (const { kv } of events) {
          looked += kv.key.length + kv.value.length + Number(kv.mod_revision);
          seen();
        }
      });
      await new Promise((resolve) => watcher.once("connected", resolve));
      return () => watcher.cancel();
    },
    idle: (key) => client.watch().key(key).create(),
  };
}

async function timed(run: () => Promise<number>): Promise<Record<string, number>> {
  const before = process.cpuUsage();
  const begun = performance.now();
  const operations = await run();
  const seconds = (performance.now() - begun) / 1_000;
  const { user, system } = process.cpuUsage(before);
  return { operations, perSecond: operations / seconds, cpuUs: (user + system) / operations };
}

async function readHistory(watches: Watches, count: number): Promise<number> {
  const events = count * historyWatches;
  let left = events;
  let done = (): void => undefined;
  const whole = new Promise<void>((resolve) => (done = resolve));
  const seen = (): void => {
    if (--left === 0) done();
  };
  const all = Array.from({ length: historyWatches }, () => watches.watch(historyPrefix, 1, seen));
  const cancels = await Promise.all(all);
  await whole;
  await Promise.all(cancels.map((cancel) => cancel()));
  return events;
}

async function history(watches: Watches, count: number, seconds: number): Promise<object> {
  await readHistory(watches, count);
  return timed(async () => {
    let events = 0;
    for (const end = performance.now() + seconds * 1_000; performance.now() < end;) {
      events += await readHistory(watches, count);
    }
    return events;
  });
}

async function live(watches: Watches, count: number, seconds: number): Promise<object> {
  let events = 0;
  const seen = (): void => {
    events++;
  };
  for (let i = 0; i < count; i++) await watches.watch(livePrefix, 0, seen);
  await delay(warmUpMs);
  return timed(async () => {
    const before = events;
    await delay(seconds * 1_000);
    return events - before;
  });
}

/** Anonymous memory after a thorough collection. */
async function settledBytes(): Promise<number> {
  for (let i = 0; i < collections; i++) {
    globalThis.gc?.();
    await delay(benchLimits.memoryPollMs);
  }
  return memory(process.pid).anonBytes;
}

async function manyWatches(watches: Watches, count: number): Promise<object> {
  await watches.idle("memory/first");
  const before = await settledBytes();
  const begun = performance.now();
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < count; i++) all.push(watches.idle(`memory/${i}`));
  await Promise.all(all);
  const seconds = (performance.now() - begun) / 1_000;
  return { grownBytes: (await settledBytes()) - before, seconds };
}

/** Grants them, keeps them alive over more than two TTLs, and counts the answers. */
async function leases(client: EtcdClient, count: number, seconds: number): Promise<object> {
  const ids: bigint[] = [];
  while (ids.length < count) {
    const some = Array.from({ length: grantsAtOnce }, () => client.lease.grant(seconds));
    for (const { id } of await Promise.all(some)) ids.push(id);
  }
  const before = await settledBytes();
  let answers = 0;
  const handles = ids.map((id) => client.lease.keepAlive(id));
  for (const handle of handles) void countAnswers(handle, () => answers++);
  const measured = await timed(async () => {
    await delay(ttlsWaited * seconds * 1_000);
    return answers;
  });
  const lost = handles.filter((handle) => handle.lost.aborted).length;
  return { ...measured, lost, grownBytes: (await settledBytes()) - before };
}

async function countAnswers(handle: KeepAlive, count: () => void): Promise<void> {
  const answers = handle[Symbol.asyncIterator]();
  while ((await answers.next()).done !== true) count();
}

const [kind = "", endpoint = "", op = "", countText, secondsText] = process.argv.slice(2);
const count = Number(countText);
const seconds = Number(secondsText);

async function main(): Promise<void> {
  const quorate = kind === "quorate" ? new EtcdClient({ endpoints: endpoint }) : null;
  const watches =
    quorate === null
      ? etcd3Watches(new Etcd3({ hosts: `http://${endpoint}` }))
      : quorateWatches(quorate);
  let result: object = {};
  if (op === "history") result = await history(watches, count, seconds);
  else if (op === "live") result = await live(watches, count, seconds);
  else if (op === "memory") result = await manyWatches(watches, count);
  else if (quorate !== null) result = await leases(quorate, count, seconds);
  // etcd3 goes on connecting for its watches after close().
  process.stdout.write(`${JSON.stringify({ ...result, looked })}\n`, () => process.exit());
}

await main();
