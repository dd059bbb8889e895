/** `utl snapshot status`. */
import { statSync } from "node:fs";
import { emptyBytes, toBinaryString, utf8 } from "../base/bytes.ts";
import { BoltError } from "../bbolt/format.ts";
import { humanBytes } from "../cli/humanize.ts";
import { exitCode, ExitError } from "../cli/run.ts";
import { nodeChecksum } from "../io/node-checksum.ts";
import { KvScanner } from "../server/mvcc/kv-bytes.ts";
import { isTombstoneKey, revisionMain } from "../server/mvcc/revision.ts";
import type { UtlCall } from "./context.ts";
import type { Database } from "./database.ts";
import { openFree } from "./database.ts";
import { printerOf } from "./printer.ts";
import { orExit } from "./or-exit.ts";

export async function statusCommand(call: UtlCall): Promise<void> {
  const [path, ...more] = call.args;
  if (path === undefined || more.length > 0) {
    throw new ExitError(exitCode.badArgs, "snapshot status requires exactly one argument");
  }
  await orExit(() => statSync(path));
  const print = printerOf(call);
  const status = await orExit(async () => {
    // bbolt would write the first pages, to a file that it opened for reading.
    if (statSync(path).size === 0) throw new Error(`write ${path}: bad file descriptor`);
    const database = await openFree(path, call.flags.durationMs("timeout"));
    try {
      return readStatus(database);
    } catch (error) {
      throw error instanceof BoltError ? notSound(error) : error;
    } finally {
      await database.close();
    }
  });
  const { hash, revision, totalKey, totalSize, version } = status;
  call.output.out(
    print([
      { title: "hash", fields: "Hash", json: "hash", value: hash, shown: hash.toString(16) },
      { title: "revision", fields: "Revision", json: "revision", value: revision },
      { title: "total keys", fields: "Keys", json: "totalKey", value: totalKey },
      {
        title: "total size",
        fields: "Size",
        json: "totalSize",
        value: totalSize,
        shown: humanBytes(totalSize),
      },
      { title: "version", fields: "Version", json: "version", value: version },
    ]),
  );
}

function notSound(error: BoltError): Error {
  return new Error(`snapshot file integrity check failed. 1 errors found.\n${error.message}`, {
    cause: error,
  });
}

interface Status {
  readonly hash: number;
  readonly revision: number;
  readonly totalKey: number;
  readonly totalSize: number;
  /** For example "3.7.0"; empty for a file of etcd 3.5. */
  readonly version: string;
}

/** Sets of keys: a single one would end at 2^24 of them. */
const shards = 64;

/** Reads everything. */
function readStatus({ bucketNames, view, sizeBytes }: Database): Status {
  const { crc32c } = nodeChecksum;
  const alive = Array.from({ length: shards }, () => new Set<string>());
  const scanner = new KvScanner();
  let hash = 0;
  let revision = 0;
  for (const bucket of bucketNames) {
    hash = crc32c(utf8(bucket), hash);
    view.range(bucket, emptyBytes, null, (key, value) => {
      hash = crc32c(value, crc32c(key, hash));
      if (bucket !== "key") return true;
      revision = revisionMain(key);
      scanner.scan(value, 0, value.length);
      const name = value.subarray(scanner.keyStart, scanner.keyEnd);
      const shard = alive[crc32c(name, 0) % shards]!;
      if (isTombstoneKey(key)) shard.delete(toBinaryString(name));
      else shard.add(toBinaryString(name));
      return true;
    });
  }
  const row = view.get("meta", utf8("storageVersion"));
  const version = row === null ? "" : new TextDecoder().decode(row);
  return {
    hash,
    revision,
    totalKey: alive.reduce((sum, shard) => sum + shard.size, 0),
    totalSize: sizeBytes,
    version,
  };
}
