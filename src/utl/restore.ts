/**
 * `utl snapshot restore`: a database file becomes the data directory of the first member of a new
 * cluster: keys, leases, alarms and auth stay, members and log are new.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { emptyBytes, equal, utf8 } from "../base/bytes.ts";
import { exitCode, ExitError } from "../cli/run.ts";
import { EntryType } from "../raft/types.ts";
import { bootstrapChanges, firstMembers } from "../server/bootstrap.ts";
import { Batch } from "../server/backend/backend.ts";
import type { Backend, View } from "../server/backend/backend.ts";
import { encodeConfStateRow } from "../server/conf-state-row.ts";
import { parseInitialCluster } from "../server/config/initial-cluster.ts";
import type { BootstrapSettings } from "../server/config/initial-cluster.ts";
import { parseUrls } from "../server/config/urls.ts";
import type { Member } from "../server/member/member.ts";
import { encodeMember } from "../server/member/member.ts";
import { clusterId } from "../server/member/member-id.ts";
import { keyScheduledCompact } from "../server/mvcc/compaction.ts";
import { encodeRevision, revisionMain } from "../server/mvcc/revision.ts";
import { deleteMembers } from "../server/snapshot/restore.ts";
import { readAt } from "./bolt-file.ts";
import type { UtlCall } from "./context.ts";
import { ConsoleLog } from "./context.ts";
import { databaseError } from "./database.ts";
import { loadFile } from "./load-file.ts";
import {
  done,
  filling,
  isEmptyPlace,
  lockDirectory,
  withBackend,
  writeLog,
} from "./our-directory.ts";
import { orExit } from "./or-exit.ts";

interface Restore {
  readonly path: string;
  readonly dataDir: string;
  readonly walDir: string;
  readonly settings: BootstrapSettings;
  readonly isHashSkipped: boolean;
  /** 0: revisions stay as they are. */
  readonly bump: number;
}

/** Term of the entries that make the members, as in every new log of etcd. */
const firstTerm = 1;

export async function restoreCommand(call: UtlCall): Promise<void> {
  const { flags, args } = call;
  const [path, ...more] = args;
  if (path === undefined || more.length > 0) {
    throw new ExitError(exitCode.badArgs, "snapshot restore requires exactly one argument");
  }
  const bump = flags.int("bump-revision");
  if (bump > 0 !== flags.bool("mark-compacted")) {
    throw new ExitError(exitCode.badArgs, "--mark-compacted required if --revision-bump > 0");
  }
  const name = flags.string("name");
  const dataDir = flags.string("data-dir") || `${name}.etcd`;
  const walDir = flags.string("wal-dir") || join(dataDir, "member", "wal");
  const log = new ConsoleLog(call);
  await orExit(async () => {
    const settings = {
      name,
      initialAdvertisePeerUrls: parseUrls(flags.string("initial-advertise-peer-urls")),
      initialCluster: flags.string("initial-cluster"),
      initialClusterState: "new",
      initialClusterToken: flags.string("initial-cluster-token"),
      maxLearners: 1,
      forceNewCluster: false,
    } as const;
    parseInitialCluster(settings.initialCluster);
    const members = firstMembers(settings, sha1);
    if (!isEmptyPlace(dataDir)) {
      throw new Error(`data-dir "${dataDir}" not empty or could not be read`);
    }
    if (statSync(walDir, { throwIfNoEntry: false }) !== undefined) {
      throw new Error(`wal-dir "${walDir}" exists`);
    }
    const places = {
      path,
      "wal-dir": walDir,
      "data-dir": dataDir,
      "snap-dir": join(dataDir, "member", "snap"),
      "initial-memory-map-size": flags.int("initial-memory-map-size"),
    };
    log.info("restoring snapshot", places);
    const isHashSkipped = flags.bool("skip-hash-check");
    checkHash(path, isHashSkipped);
    const restore = { path, dataDir, walDir, settings, isHashSkipped, bump };
    await filling(dataDir, walDir, () => fill(restore, members, log));
    log.info("restored snapshot", places);
  });
}

const sha1 = (bytes: Uint8Array): Uint8Array => createHash("sha1").update(bytes).digest();

const sha256Bytes = 32;
/** A file of whole sectors and a hash behind them; etcd tells by this that there is one. */
const sectorBytes = 512;

/** Compares the hash at the end of the file with its content. Throws etcd's text. */
function checkHash(path: string, isSkipped: boolean): void {
  const file = openSync(path, "r");
  try {
    const { size } = statSync(path);
    if (size < sha256Bytes) throw new Error(`seek ${path}: invalid argument`);
    const hasHash = size % sectorBytes === sha256Bytes;
    if (isSkipped) return;
    if (!hasHash) throw new Error("snapshot missing hash but --skip-hash-check=false");
    const wanted = readAt(file, size - sha256Bytes, sha256Bytes);
    const got = hashFile(file, size - sha256Bytes);
    if (equal(wanted, got)) return;
    throw new Error(`expected sha256 [${wanted.join(" ")}], got [${got.join(" ")}]`);
  } finally {
    closeSync(file);
  }
}

function hashFile(file: number, length: number): Uint8Array {
  const hash = createHash("sha256");
  const piece = new Uint8Array(1 << 20);
  for (let at = 0; at < length;) {
    const n = readSync(file, piece, 0, Math.min(piece.length, length - at), at);
    if (n === 0) break;
    hash.update(piece.subarray(0, n));
    at += n;
  }
  return hash.digest();
}

async function fill(restore: Restore, members: readonly Member[], log: ConsoleLog): Promise<void> {
  const { dataDir, walDir, path, settings, bump } = restore;
  const local = members.find((member) => member.name === settings.name)!;
  const ids = members.map((member) => member.id);
  const identity = { clusterId: clusterId(ids, sha1), memberId: local.id };
  const directory = await lockDirectory(dataDir, 1);
  try {
    directory.saveIdentity(identity);
    const entries = bootstrapChanges(members).map(({ data }, i) => ({
      type: EntryType.confChange,
      term: firstTerm,
      index: i + 1,
      data,
    }));
    const commit = entries.length;
    await withBackend(directory, async (backend) => {
      try {
        await loadFile(directory, backend, path);
      } catch (error) {
        throw databaseError(error);
      }
      const batch = withMembers(backend, members, commit);
      if (bump > 0) bumpRevision(backend, batch, bump, log);
      await done((callback) => {
        backend.commit(batch, callback);
      });
    });
    const hardState = { term: firstTerm, vote: ids[0]!, commit };
    await writeLog({ directory: walDir, identity, base: null, hardState, entries });
  } finally {
    directory.release();
  }
}

/** Rows of the new members and of the end of their log instead of those of the old cluster. */
function withMembers(backend: Backend, members: readonly Member[], commit: number): Batch {
  const batch = new Batch();
  deleteMembers(batch, backend);
  for (const member of members) {
    batch.put("members", utf8(member.id.toString(16)), utf8(encodeMember(member)));
  }
  batch.put("meta", utf8("consistent_index"), u64(commit));
  batch.put("meta", utf8("term"), u64(firstTerm));
  const voters = members.map((member) => member.id);
  const none = { learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  batch.put("meta", utf8("confState"), encodeConfStateRow({ voters, ...none }));
  return batch;
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** A row at the new latest revision, up to which everything is to be compacted. */
function bumpRevision(backend: Backend, batch: Batch, amount: number, log: ConsoleLog): void {
  const view = backend.view();
  const latest = latestRevision(view);
  view.close();
  const bumped = latest + amount;
  if (!Number.isSafeInteger(bumped)) throw new Error(`revision ${bumped} is too high`);
  log.info("bumping latest revision", {
    "latest-revision": latest,
    "bump-amount": amount,
    "new-latest-revision": bumped,
  });
  const key = encodeRevision(bumped, 0, false);
  batch.put("key", key, emptyBytes);
  log.info("marking revision compacted", { revision: bumped });
  batch.put("meta", keyScheduledCompact, key);
}

function latestRevision(view: View): number {
  let latest = 0;
  view.range("key", emptyBytes, null, (key) => {
    latest = revisionMain(key);
    return true;
  });
  return latest;
}
