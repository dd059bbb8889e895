// ST1  Everything here is a picture of the backend's rows plus the entries applied since; it is
//      loaded from one view, leases before keys, so that attachments find their lease.
// ST2  An installed snapshot replaces all of it in one turn, after its keys were read; watchers
//      stay and go on from where they were.

import { must } from "../base/assert.ts";
import { utf8 } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";
import type { Checksum, Clock, Random, Turn } from "../base/ports.ts";
import { clusterVersion } from "../base/version.ts";
import type { LeaseCheckpoint } from "../codec/lease.ts";
import type { ConfState } from "../raft/types.ts";
import { AlarmStore } from "./apply/alarm.ts";
import { BackendWriter } from "./backend/batcher.ts";
import type { Backend } from "./backend/backend.ts";
import { electionTicksOf, type ServerConfig } from "./config/config.ts";
import { encodeConfStateRow } from "./conf-state-row.ts";
import { Lessor, minLeaseTtlSeconds } from "./lease/lessor.ts";
import { Cluster } from "./member/cluster.ts";
import type { ImageFile } from "./mvcc/image-blocks.ts";
import { IndexImage } from "./mvcc/index-image.ts";
import { storeLimits } from "./mvcc/limits.ts";
import type { ContentReader } from "./mvcc/restore.ts";
import { KvStore } from "./mvcc/store.ts";
import { WatchableStore } from "./mvcc/watchable-store.ts";

/** A watch response is split, where asked for, beyond a request's bytes and this. */
const fragmentOverheadBytes = 512 * 1024;

const confStateKey = utf8("confState");
const termKey = utf8("term");
const storageVersionKey = utf8("storageVersion");
const authRevisionKey = utf8("authRevision");
const lowestKey = new Uint8Array(0);

export interface StateParts {
  readonly config: ServerConfig;
  readonly backend: Backend;
  readonly ids: { readonly clusterId: bigint; readonly localId: bigint };
  readonly clock: Clock;
  readonly turn: Turn;
  readonly random: Random;
  readonly checksum: Checksum;
  readonly imageFile: ImageFile;
  readonly log: Logger;
  /** A commit failed: the member must end. */
  readonly fail: (error: Error) => void;
  /** The lessor found the lease expired and leads. */
  readonly proposeRevoke: (id: bigint) => void;
  /** The lessor leads and wants the log to know what is left of leases. */
  readonly proposeCheckpoints: (checkpoints: readonly LeaseCheckpoint[]) => void;
}

/** The state machine of one member. */
export interface State {
  readonly writer: BackendWriter;
  readonly store: KvStore;
  readonly watchable: WatchableStore;
  readonly lessor: Lessor;
  readonly cluster: Cluster;
  readonly alarms: AlarmStore;
  /** What the backend held when it was opened. */
  readonly applied: { readonly index: number; readonly term: number };
  readonly confState: ConfState;
  /** To be called after the last commit and before the backend closes. */
  saveImage(): void;
}

export function loadState(parts: StateParts): State {
  const { backend, clock, turn, checksum, log, config } = parts;
  const limits = {
    batchRowsMax: config.backendBatchLimit,
    batchIntervalMs: config.backendBatchIntervalMs,
  };
  const writer = new BackendWriter({ backend, clock, turn, fail: parts.fail, limits });
  const electionTicks = electionTicksOf(config);
  const lessor = new Lessor({
    clock,
    turn,
    rows: writer,
    minTtlSeconds: minLeaseTtlSeconds(electionTicks, config.heartbeatIntervalMs),
    proposeRevoke: parts.proposeRevoke,
    proposeCheckpoints: parts.proposeCheckpoints,
  });
  const cluster = new Cluster(parts.ids, writer, { log, learnersMax: config.maxLearners });
  const alarms = new AlarmStore(writer);
  cluster.load(writer.view);
  alarms.load(writer.view);
  writer.view.range("lease", lowestKey, null, (_key, value) => {
    lessor.restore(value);
    return true;
  });
  const store = new KvStore({
    ...{ writer, clock, turn, checksum, log, leases: lessor },
    hashSeed: parts.random.u32(),
    limits: {
      ...storeLimits,
      compactionBatchLimit: config.compactionBatchLimit,
      compactionSleepMs: config.compactionSleepIntervalMs,
    },
  });
  const { clusterId, localId: memberId } = parts.ids;
  const image = new IndexImage({ file: parts.imageFile, checksum, clusterId, memberId });
  store.restore(image); // ST1
  const fragmentBytes = config.maxRequestBytes + fragmentOverheadBytes;
  const watchable = new WatchableStore({ source: store, turn, fragmentBytes });
  store.setListener(watchable);
  const applied = { index: writer.durableIndex, term: readTerm(writer) };
  const confState = readConfState(writer);
  const saveImage = (): void => {
    image.save(store);
  };
  return { writer, store, watchable, lessor, cluster, alarms, applied, confState, saveImage };
}

/** What an installed snapshot says about itself. */
export interface Reloaded {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

/**
 * Puts the prepared environment at `path` in the place of the backend and reads everything from it
 * (ST2): the keys over several turns, while reads see the former state, and then everything in one.
 * Nothing may be applied until `done`. A failure ends the process.
 */
export function installState(
  state: State,
  path: string,
  done: (installed: Reloaded) => void,
): void {
  const { writer, store } = state;
  let content: ContentReader | null = null;
  writer.replace(path, {
    load: (view, loaded) => {
      const isWanted = (): boolean => !writer.isClosed;
      store.readContent(view, isWanted, (read) => {
        content = read;
        loaded();
      });
    },
    done: () => {
      done(reloadState(state, must(content)));
    },
  });
}

/** ST2. Called in the turn in which the writer's view changed. */
function reloadState(state: State, content: ContentReader): Reloaded {
  const { writer, store, watchable, lessor, cluster, alarms } = state;
  const fromRevision = store.currentRevision + 1;
  cluster.load(writer.view);
  alarms.load(writer.view);
  lessor.reload(writer.view);
  store.reload(content); // ST1
  watchable.replaced(fromRevision);
  return {
    index: writer.durableIndex,
    term: readTerm(writer),
    confState: readConfState(writer),
  };
}

/** Rows that etcd writes into a new database before its first entry. A restored one has them. */
export function writeFirstRows(writer: BackendWriter): void {
  const one = new Uint8Array(8);
  one[7] = 1;
  if (writer.view.get("auth", authRevisionKey) === null) writer.put("auth", authRevisionKey, one);
  writer.put("meta", storageVersionKey, utf8(clusterVersion));
}

/** Recorded with the entry that changed it. */
export function writeConfState(writer: BackendWriter, conf: ConfState): void {
  writer.put("meta", confStateKey, encodeConfStateRow(conf));
}

function readConfState(writer: BackendWriter): ConfState {
  return parseConfState(writer.view.get("meta", confStateKey));
}

/** The row of the `meta` bucket; null: there is none yet. */
export function parseConfState(row: Uint8Array | null): ConfState {
  const text = row === null ? "{}" : new TextDecoder().decode(row);
  // Ids are 64-bit numbers, which JSON.parse would round.
  const raw = JSON.parse(text.replace(/(\d+)/g, '"$1"')) as Record<string, string[] | boolean>;
  const ids = (name: string): bigint[] => {
    const list = raw[name];
    return Array.isArray(list) ? list.map(BigInt) : [];
  };
  return {
    voters: ids("voters"),
    learners: ids("learners"),
    votersOutgoing: ids("voters_outgoing"),
    learnersNext: ids("learners_next"),
    autoLeave: raw["auto_leave"] === true,
  };
}

function readTerm(writer: BackendWriter): number {
  const row = writer.view.get("meta", termKey);
  if (row === null) return 0;
  return Number(new DataView(row.buffer, row.byteOffset, row.byteLength).getBigUint64(0));
}
