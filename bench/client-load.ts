// One client process under load: `client-load.ts KIND ENDPOINT OP CLIENTS SECONDS [alloc]`.
// KIND is quorate or etcd3 (npm); OP get or put of 16-byte keys and 256-byte values. Prints one
// line of JSON: Measured, where cpuUs is this process's time per call; with `alloc` bytesPerCall,
// what V8 allocated per call, sampled.
import { Session } from "node:inspector/promises";

import { Etcd3 } from "etcd3";

import { EtcdClient } from "../src/client/client.ts";
import { quantile } from "./statistics.ts";

interface Calls {
  get(key: string): Promise<unknown>;
  put(key: string, value: Buffer): Promise<unknown>;
  close(): void;
}

const keyCount = 1_000;
const warmUpMs = 1_000;
const allocationSampleBytes = 16 * 1024;
const value = Buffer.alloc(256, "v");

function quorateCalls(endpoint: string): Calls {
  const client = new EtcdClient({ endpoints: endpoint });
  return {
    get: (key) => client.kv.get(key),
    put: (key, bytes) => client.kv.put(key, bytes),
    close: () => client.close(),
  };
}

function etcd3Calls(endpoint: string): Calls {
  const client = new Etcd3({ hosts: `http://${endpoint}` });
  return {
    get: (key) => client.get(key).buffer(),
    put: async (key, bytes) => client.put(key).value(bytes),
    close: () => client.close(),
  };
}

const [kind, endpoint = "", op, clients, seconds, alloc] = process.argv.slice(2);
const calls = kind === "etcd3" ? etcd3Calls(endpoint) : quorateCalls(endpoint);
let turn = 0;

function one(): Promise<unknown> {
  const key = `bench/${String(turn++ % keyCount).padStart(10, "0")}`;
  return op === "put" ? calls.put(key, value) : calls.get(key);
}

/** Microseconds of each call that began and ended within the time. */
async function load(ms: number): Promise<number[]> {
  const latencies: number[] = [];
  const end = performance.now() + ms;
  const worker = async (): Promise<void> => {
    for (let begun = performance.now(); begun < end;) {
      await one();
      const now = performance.now();
      if (now <= end) latencies.push((now - begun) * 1_000);
      begun = now;
    }
  };
  await Promise.all(Array.from({ length: Number(clients) }, worker));
  return latencies;
}

interface SampledNode {
  readonly selfSize: number;
  readonly children: readonly SampledNode[];
}

function sizeBelow({ selfSize, children }: SampledNode): number {
  return children.reduce((sum, child) => sum + sizeBelow(child), selfSize);
}

async function allocated(run: () => Promise<unknown>): Promise<number> {
  const session = new Session();
  session.connect();
  await session.post("HeapProfiler.startSampling", {
    samplingInterval: allocationSampleBytes,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  await run();
  const { profile } = await session.post("HeapProfiler.stopSampling");
  session.disconnect();
  return sizeBelow(profile.head);
}

async function measure(): Promise<Record<string, number>> {
  const ms = Number(seconds) * 1_000;
  if (alloc !== undefined) {
    let count = 0;
    const bytes = await allocated(async () => (count = (await load(ms)).length));
    return { bytesPerCall: bytes / count };
  }
  const before = process.cpuUsage();
  const latencies = await load(ms);
  const { user, system } = process.cpuUsage(before);
  return {
    operations: latencies.length,
    perSecond: latencies.length / Number(seconds),
    cpuUs: (user + system) / latencies.length,
    p50Us: quantile(latencies, 0.5),
    p99Us: quantile(latencies, 0.99),
    maxUs: quantile(latencies, 1),
  };
}

await load(warmUpMs);
process.stdout.write(`${JSON.stringify(await measure())}\n`);
calls.close();
