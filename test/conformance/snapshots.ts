// Database files between Quorate and Go etcd 3.7.1, in both directions: what `etcdutl` says of
// them, and that the data restored elsewhere have the HashKV they had.
import { closeSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";

import { toBinaryString } from "../../src/base/bytes.ts";
import { BoltReader } from "../../src/bbolt/reader.ts";
import { decodeKeyValue } from "../../src/codec/kv.ts";
import { nodeChecksum } from "../../src/io/node-checksum.ts";
import type { Backend } from "../../src/server/backend/backend.ts";
import { openLmdbBackend } from "../../src/server/backend/lmdb.ts";
import { restoreSnapshot } from "../../src/server/snapshot/restore.ts";
import { plainTurn } from "../backend/plain-turn.ts";
import type { Programs } from "./build.ts";
import { runCommand } from "./command.ts";
import type { Report } from "./report.ts";
import type { Server } from "./servers.ts";

const keyRowBytes = 17;
const loadSeconds = "1";
const largeValueBytes = 1_000_000;
const restoreTimeoutMs = 60_000;

interface Pair {
  readonly want: Server;
  readonly got: Server;
}

/** What `etcdutl snapshot status` prints, computed from the file by our own reader. */
function predictStatus(path: string): Record<string, unknown> {
  const file = readFileSync(path);
  const reader = new BoltReader({
    sizeBytes: file.length,
    read: (at, length) => file.subarray(at, at + length),
  });
  let hash = 0;
  let revision = 0;
  let version = "";
  const alive = new Set<string>();
  for (const bucket of reader.buckets) {
    const name = toBinaryString(bucket.name);
    hash = nodeChecksum.crc32c(bucket.name, hash);
    reader.rows(bucket, (key, value) => {
      hash = nodeChecksum.crc32c(value, nodeChecksum.crc32c(key, hash));
      if (name === "meta" && toBinaryString(key) === "storageVersion") {
        version = toBinaryString(value);
      }
      if (name !== "key") return true;
      revision = Number(new DataView(key.buffer, key.byteOffset).getBigUint64(0));
      const userKey = toBinaryString(decodeKeyValue(value).key);
      if (key.length > keyRowBytes) alive.delete(userKey);
      else alive.add(userKey);
      return true;
    });
  }
  return { hash, revision, totalKey: alive.size, totalSize: reader.contentBytes, version };
}

/** Runs a command that must succeed and returns its output. */
async function run(program: string, args: readonly string[], input = ""): Promise<string> {
  const result = await runCommand(program, args, { input, timeoutMs: restoreTimeoutMs });
  if (result.code !== 0) throw new Error(`${program} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

/** Keys of all kinds: written once, often, deleted, large, with a lease, before a compaction. */
async function fill(programs: Programs, server: Server): Promise<void> {
  const ctl = (args: readonly string[], input = ""): Promise<string> =>
    run(programs.etcdctl, ["--endpoints", server.endpoint, ...args], input);
  await ctl(["put", "large"], "v".repeat(largeValueBytes));
  const load = ["--endpoint", server.endpoint, "--op", "put", "--conns", "2", "--clients", "20"];
  await run(programs.loadgen, [...load, "--seconds", loadSeconds]);
  const lease = /lease ([0-9a-f]+) granted/.exec(await ctl(["lease", "grant", "3600"]))?.[1];
  await ctl(["put", "--lease", lease ?? "", "leased", "1"]);
  await ctl(["put", "gone", "1"]);
  const gone = JSON.parse(await ctl(["-w", "json", "del", "gone"])) as {
    header: { revision: number };
  };
  await ctl(["compact", String(gone.header.revision - 1), "--physical"]);
  await ctl(["put", "after", "the compaction"]);
  await ctl(["del", "after"]);
  await ctl(["put", "after", "all"]);
}

async function hashKv(programs: Programs, server: Server): Promise<string> {
  const args = ["--endpoints", server.endpoint, "endpoint", "hashkv", "-w", "json"];
  const [one] = JSON.parse(await run(programs.etcdctl, args)) as { HashKV: object }[];
  const { hash, compact_revision, hash_revision } = one?.HashKV as Record<string, number>;
  return JSON.stringify({ hash, compact_revision, hash_revision });
}

/** Saves a snapshot and compares what etcdutl and our reader find in it. */
async function save(report: Report, programs: Programs, server: Server): Promise<string> {
  const path = join(server.folder, "saved.db");
  await run(programs.etcdctl, ["--endpoints", server.endpoint, "snapshot", "save", path]);
  const status = await run(programs.etcdutl, ["snapshot", "status", path, "-w", "json"]);
  const predicted = predictStatus(path);
  const got = JSON.parse(status) as object;
  report.compare(
    `snapshot status of ${server.label}`,
    JSON.stringify(predicted, null, 1),
    JSON.stringify(got, null, 1),
  );
  return path;
}

/** Go etcd goes on from the file. */
async function restoreIntoGo(programs: Programs, path: string, server: Server): Promise<void> {
  await server.end("SIGTERM");
  const data = join(server.folder, "data");
  rmSync(data, { recursive: true, force: true });
  const peer = "http://127.0.0.1:2380";
  const args = ["snapshot", "restore", path, "--data-dir", data, "--name", "n1"];
  args.push("--initial-cluster", `n1=${peer}`, "--initial-advertise-peer-urls", peer);
  await run(programs.etcdutl, args);
  await server.restart();
}

/** Quorate goes on from the file: the data directory keeps its identity and loses its log. */
async function restoreIntoQuorate(path: string, server: Server): Promise<void> {
  await server.end("SIGTERM");
  const member = join(server.folder, "data", "member");
  for (const name of ["wal", "index-image"]) {
    rmSync(join(member, name), { recursive: true, force: true });
  }
  const backend = openLmdbBackend({ directory: join(member, "backend"), turn: plainTurn });
  try {
    await restore(backend, path, join(member, "restored"));
  } finally {
    await new Promise((resolve) => {
      backend.close(resolve);
    });
  }
  await server.restart();
}

function restore(backend: Backend, from: string, path: string): Promise<void> {
  const file = openSync(from, "r");
  const piece = new Uint8Array(1 << 20);
  return new Promise<void>((resolve, reject) => {
    const read = (done: (error: null, piece: Uint8Array | null) => void): void => {
      const length = readSync(file, piece);
      done(null, length === 0 ? null : piece.subarray(0, length));
    };
    restoreSnapshot({ backend, file: { read }, path }, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  }).finally(() => {
    closeSync(file);
  });
}

/** A file cut in the middle must be refused. */
function refuseDamaged(report: Report, path: string): void {
  const file = readFileSync(path);
  const damaged = file.subarray(0, file.length / 2);
  const source = {
    sizeBytes: damaged.length,
    read: (at: number, length: number) => damaged.subarray(at, at + length),
  };
  const name = "a cut snapshot is refused";
  try {
    new BoltReader(source);
    report.fail(name, "it was read");
  } catch (error) {
    report.compare(name, "BoltError", (error as Error).name);
  }
}

/** It goes on: removing all rearranges the tree that the other one laid out. */
async function empty(report: Report, programs: Programs, server: Server): Promise<void> {
  const ctl = (...args: string[]): Promise<string> =>
    run(programs.etcdctl, ["--endpoints", server.endpoint, ...args]);
  const deleted = JSON.parse(await ctl("del", "", "--from-key", "-w", "json")) as {
    deleted?: number;
    header: { revision: number };
  };
  if ((deleted.deleted ?? 0) < 2) report.fail(server.label, "nothing was there to delete");
  await ctl("compact", String(deleted.header.revision), "--physical");
  await ctl("defrag");
  await ctl("put", "again", "1");
  const found = JSON.parse(await ctl("get", "", "--from-key", "-w", "json")) as { count?: number };
  report.compare(`${server.label} after deleting all`, "1", String(found.count));
}

/** The servers of the pair end with each other's data. */
export async function compareSnapshots(
  report: Report,
  programs: Programs,
  pair: Pair,
): Promise<void> {
  const [go, ours] = [pair.want, pair.got];
  await fill(programs, go);
  await fill(programs, ours);
  const [fromGo, fromOurs] = [await save(report, programs, go), await save(report, programs, ours)];
  const [goHash, ourHash] = [await hashKv(programs, go), await hashKv(programs, ours)];
  refuseDamaged(report, fromOurs);
  await restoreIntoGo(programs, fromOurs, go);
  report.compare("HashKV of our snapshot served by Go etcd", ourHash, await hashKv(programs, go));
  await restoreIntoQuorate(fromGo, ours);
  report.compare("HashKV of Go etcd's snapshot served by us", goHash, await hashKv(programs, ours));
  for (const server of [go, ours]) await empty(report, programs, server);
}
