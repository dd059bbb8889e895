// Watches and leases of npm's etcd3 and of Quorate's client against the same Quorate member, each
// in a process of its own, interleaved.
import { fileURLToPath } from "node:url";

import { EtcdClient } from "../src/client/client.ts";
import { op } from "../src/client/op.ts";
import { runCommand } from "../test/conformance/command.ts";
import type { Server } from "../test/conformance/servers.ts";
import { benchLimits } from "./limits.ts";
import { median } from "./statistics.ts";

export const watchKinds = ["etcd3", "quorate"] as const;
export type WatchKind = (typeof watchKinds)[number];

export interface Delivery {
  readonly perSecond: number;
  readonly cpuUs: number;
}

export interface ClientWatches {
  /** Changes read from history by ten watches at a time. */
  readonly history: Readonly<Record<WatchKind, Delivery>>;
  /** Changes as they happen, to `liveWatches` watches of one client. */
  readonly live: Readonly<Record<WatchKind, Delivery>>;
  readonly liveWatches: number;
  /** More anonymous memory of the process with so many watches. */
  readonly watches: number;
  readonly watchesGrownBytes: Readonly<Record<WatchKind, number>>;
  /** Leases kept alive by Quorate's client (etcd3 opens a stream for each). */
  readonly leases: number;
  readonly leasesLost: number;
  readonly leasesGrownBytes: number;
  readonly renewals: Delivery;
}

const program = fileURLToPath(new URL("client-watch-load.ts", import.meta.url));
const valueBytes = 256;
const historyChanges = 10_000;
const changesPerTxn = 100;
const liveWatches = 1_000;
const liveKeys = 20;
const watchCount = 10_000;
const leaseCount = 10_000;
const leaseTtlSeconds = 15;

async function run<T>(kind: WatchKind, server: Server, ...args: (string | number)[]): Promise<T> {
  const all = ["--expose-gc", program, kind, server.endpoint, ...args.map(String)];
  const result = await runCommand(process.execPath, all, { timeoutMs: benchLimits.loadTimeoutMs });
  if (result.code !== 0) throw new Error(`client-watch-load ${args.join(" ")}: ${result.stderr}`);
  return JSON.parse(result.stdout) as T;
}

async function fill(client: EtcdClient): Promise<void> {
  const value = "v".repeat(valueBytes);
  for (let i = 0; i < historyChanges; i += changesPerTxn) {
    const puts = Array.from({ length: changesPerTxn }, (_, j) =>
      op.put(`history/${String(i + j).padStart(8, "0")}`, value),
    );
    await client.kv
      .txn()
      .then(...puts)
      .commit();
  }
}

async function rounds(
  count: number,
  measure: (kind: WatchKind) => Promise<Delivery>,
): Promise<Record<WatchKind, Delivery>> {
  const all: Record<WatchKind, Delivery[]> = { etcd3: [], quorate: [] };
  for (let round = 0; round < count; round++) {
    for (const kind of watchKinds) all[kind].push(await measure(kind));
  }
  const of = (kind: WatchKind): Delivery => ({
    perSecond: median(all[kind].map(({ perSecond }) => perSecond)),
    cpuUs: median(all[kind].map(({ cpuUs }) => cpuUs)),
  });
  return { etcd3: of("etcd3"), quorate: of("quorate") };
}

/** Writes to a few keys as quickly as they are taken, while `during` runs. */
async function whileWriting<T>(client: EtcdClient, during: () => Promise<T>): Promise<T> {
  const value = "v".repeat(valueBytes);
  let isOver = false;
  const writers = Array.from({ length: liveKeys }, async (_, i) => {
    while (!isOver) await client.kv.put(`live/${i}`, value);
  });
  try {
    return await during();
  } finally {
    isOver = true;
    await Promise.all(writers);
  }
}

function deliveryLine(name: string, measured: Readonly<Record<WatchKind, Delivery>>): void {
  const { etcd3, quorate } = measured;
  const one = (kind: WatchKind): string =>
    `${kind} ${measured[kind].perSecond.toFixed(0)}/s ${measured[kind].cpuUs.toFixed(2)} us CPU`;
  process.stdout.write(
    `client ${name}: ${watchKinds.map(one).join(", ")}; quorate/etcd3 ` +
      `${(quorate.perSecond / etcd3.perSecond).toFixed(2)}, CPU ` +
      `${(quorate.cpuUs / etcd3.cpuUs).toFixed(2)}\n`,
  );
}

/** Prints a line per measurement. */
export async function measureClientWatches(
  server: Server,
  bench: { readonly rounds: number; readonly seconds: number },
): Promise<ClientWatches> {
  const client = new EtcdClient({ endpoints: server.endpoint });
  try {
    await fill(client);
    const { seconds } = bench;
    const history = await rounds(bench.rounds, (kind) =>
      run(kind, server, "history", historyChanges, seconds),
    );
    deliveryLine(`watch, ten times ${historyChanges} changes of history`, history);
    const live = await whileWriting(client, () =>
      rounds(bench.rounds, (kind) => run(kind, server, "live", liveWatches, seconds)),
    );
    deliveryLine(`watch, ${liveWatches} watches live`, live);
    const grown = async (kind: WatchKind): Promise<number> =>
      (await run<{ grownBytes: number }>(kind, server, "memory", watchCount, 0)).grownBytes;
    const watchesGrownBytes = { etcd3: await grown("etcd3"), quorate: await grown("quorate") };
    const mebibytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
    process.stdout.write(
      `client ${watchCount} watches: etcd3 ${mebibytes(watchesGrownBytes.etcd3)}, ` +
        `quorate ${mebibytes(watchesGrownBytes.quorate)} more memory\n`,
    );
    const kept = await run<Delivery & { lost: number; grownBytes: number }>(
      ...(["quorate", server, "leases", leaseCount, leaseTtlSeconds] as const),
    );
    process.stdout.write(
      `client ${leaseCount} leases: ${kept.perSecond.toFixed(0)} renewals/s, ` +
        `${kept.cpuUs.toFixed(2)} us CPU, ${kept.lost} lost, ${mebibytes(kept.grownBytes)}\n`,
    );
    return {
      ...{ history, live, liveWatches, watches: watchCount, watchesGrownBytes },
      ...{ leases: leaseCount, leasesLost: kept.lost, leasesGrownBytes: kept.grownBytes },
      renewals: { perSecond: kept.perSecond, cpuUs: kept.cpuUs },
    };
  } finally {
    client.close();
  }
}
