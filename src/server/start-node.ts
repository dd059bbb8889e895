import { must } from "../base/assert.ts";
import type { Checksum, Disk, Done, Random } from "../base/ports.ts";
import { raftDefaults } from "../raft/config.ts";
import type { ConfChange } from "../raft/message.ts";
import { RawNode } from "../raft/raw-node.ts";
import { MemoryStorage, memoryStorageDefaults } from "../raft/storage.ts";
import type { MemoryStorageLimits } from "../raft/storage.ts";
import type { ConfState } from "../raft/types.ts";
import type { ForcedLog } from "./force-new-cluster.ts";
import { Node } from "./node.ts";
import type { NodeOptions } from "./node-options.ts";
import { Proposals } from "./proposals.ts";
import { ReadGate } from "./read-gate.ts";
import { requestTimeout } from "./request-timeout.ts";
import { openWal, type OpenedWal, type WalSettings } from "./wal/open.ts";
import { WalCorruptError } from "./wal/recover.ts";

/** What a member's raft node is started from. */
export interface StartNodeOptions extends NodeOptions {
  readonly disk: Disk;
  readonly checksum: Checksum;
  readonly random: Random;
  readonly walDirectory: string;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Index of the newest state that could be sent as a snapshot. */
  readonly snapshotIndex?: () => number;
  readonly preVote?: boolean;
  /** Election timeout in ticks, as configured. */
  readonly electionTicks: number;
  /**
   * What the backend holds durably: its consistent index with its term, and the configuration then.
   */
  readonly applied: { readonly index: number; readonly term: number };
  readonly confState: ConfState;
  /** First entries of a new cluster's log; asked for only when the log is empty. */
  readonly bootstrap: () => readonly { change: ConfChange; data: Uint8Array }[];
  /** --force-new-cluster: what the log gets behind its end before raft starts; may throw. */
  readonly force?: (opened: OpenedWal) => ForcedLog;
  /** Whether what a proposal needs was reachable all the time since then (Clock.now()). */
  readonly isConnectedSince?: (sinceMs: number) => boolean;
  /** Told how long each durable write of the WAL took, in milliseconds. */
  readonly observeWalWrite?: (durationMs: number) => void;
  readonly walSettings?: Partial<WalSettings> | undefined;
  readonly storageLimits?: MemoryStorageLimits;
}

export interface StartedNode {
  readonly node: Node;
  /** An unfinished write at the end of the WAL was dropped. */
  readonly isTailTorn: boolean;
}

const readRetryMs = 500;

/**
 * Opens the WAL, checks that it fits the backend, and builds the node; the caller then calls
 * start(). Fails with WalCorruptError when log and backend cannot belong together.
 */
export function createNode(options: StartNodeOptions, done: Done<StartedNode>): void {
  const limits = options.storageLimits ?? memoryStorageDefaults;
  // The WAL reports to the node, which is built only after the WAL was read.
  const target: { node: Node | null; opening: ((error: Error | null) => void) | null } = {
    ...{ node: null, opening: null },
  };
  openWal(
    {
      disk: options.disk,
      checksum: options.checksum,
      random: options.random.fork("wal"),
      directory: options.walDirectory,
      clusterId: options.clusterId,
      memberId: options.memberId,
      keepFrom: Math.max(1, options.applied.index - limits.catchUpEntries),
      now: () => options.clock.now(),
      ...(options.observeWalWrite === undefined ? {} : { observeWrite: options.observeWalWrite }),
      durable: () => {
        target.node?.walDurable();
        target.opening?.(null);
      },
      failed: (error) => {
        target.node?.walFailed(error);
        target.opening?.(error);
      },
      ...(options.walSettings === undefined ? {} : { settings: options.walSettings }),
    },
    (error, opened) => {
      const refusal = error ?? checkFit(options, opened);
      if (refusal !== null) {
        done(refusal, nothing);
        return;
      }
      const finish = (log: OpenedWal): void => {
        const started = build(options, log, limits);
        target.node = started.node;
        done(null, started);
      };
      if (options.force === undefined) finish(opened);
      else forceLog(options.force, opened, target, finish, done);
    },
  );
}

/** Puts the forced entries behind the log and waits until they are durable. */
function forceLog(
  force: (opened: OpenedWal) => ForcedLog,
  opened: OpenedWal,
  target: { opening: ((error: Error | null) => void) | null },
  finish: (log: OpenedWal) => void,
  done: Done<StartedNode>,
): void {
  let forced: ForcedLog;
  try {
    forced = force(opened);
  } catch (error) {
    opened.wal.close(() => {
      done(error instanceof Error ? error : new Error(String(error)), nothing);
    });
    return;
  }
  const { entries, hardState } = forced;
  let ticket = Infinity;
  target.opening = (error) => {
    if (error !== null) {
      target.opening = null;
      done(error, nothing);
    } else if (opened.wal.durableTicket >= ticket) {
      target.opening = null;
      const lastIndex = opened.lastIndex + entries.length;
      finish({ ...opened, hardState, lastIndex, entries: [...opened.entries, ...entries] });
    }
  };
  ticket = opened.wal.append(hardState, entries);
  target.opening?.(null); // it may be durable already
}

/** What a failure comes with. */
const nothing = null as unknown as StartedNode;

function checkFit(options: StartNodeOptions, opened: OpenedWal): WalCorruptError | null {
  const { walDirectory, applied } = options;
  if (opened.lastIndex < applied.index) {
    return new WalCorruptError(
      `Cannot start: the WAL in "${walDirectory}" ends at index ${opened.lastIndex}, ` +
        `before the backend's consistent index ${applied.index}`,
    );
  }
  if (opened.firstIndex > applied.index + 1) {
    return new WalCorruptError(
      `Cannot start: the WAL in "${walDirectory}" begins at index ${opened.firstIndex}, ` +
        `but the backend's consistent index is ${applied.index}`,
    );
  }
  return null;
}

function build(
  options: StartNodeOptions,
  opened: OpenedWal,
  limits: MemoryStorageLimits,
): StartedNode {
  const { applied, clock, memberId, electionTicks, tickMs } = options;
  const storage = createStorage(opened, applied, limits);
  const { term, vote, commit } = opened.hardState;
  const raft = new RawNode(
    {
      ...{ ...raftDefaults, id: memberId, electionTicks, preVote: options.preVote ?? true },
      random: options.random.fork("raft"),
    },
    {
      storage,
      hardState: { term, vote, commit: Math.max(commit, applied.index) },
      confState: options.confState,
      applied: applied.index,
    },
  );
  const isNew = opened.lastIndex === 0 && term === 0;
  const first = isNew ? options.bootstrap() : [];
  if (first.length > 0) raft.bootstrap(first);
  const { snapshotIndex } = options;
  if (snapshotIndex !== undefined) {
    storage.provideSnapshots(() => {
      // The file that is sent is made later and says for itself what it holds, at least everything
      // that was applied: so also what is no longer in the log. This is what raft counts with.
      const index = Math.max(snapshotIndex(), storage.firstIndex() - 1);
      return { index, term: must(storage.term(index), "term"), confState: raft.confState };
    });
  }
  const timeoutMs = requestTimeout(electionTicks * tickMs);
  const proposals = new Proposals({
    memberId,
    wallMs: Math.floor(clock.wall()),
    timeoutMs,
    leaderFailWindowMs: 2 * electionTicks * tickMs,
    ...(options.isConnectedSince === undefined
      ? {}
      : { isConnectedSince: options.isConnectedSince }),
  });
  const wanted = (): void => {
    node.wake();
  };
  const gate = new ReadGate(
    { timeoutMs, retryMs: readRetryMs, wanted, firstContext: proposals.newestIdLow },
    clock.now(),
  );
  const parts = { raft, storage, wal: opened.wal, proposals, gate };
  const node = new Node(parts, options, applied);
  return { node, isTailTorn: opened.isTailTorn };
}

/** The newest entries in memory. The entry before them is known by its term only. */
function createStorage(
  opened: OpenedWal,
  applied: { index: number; term: number },
  limits: MemoryStorageLimits,
): MemoryStorage {
  const { entries, base } = opened;
  const first = entries[0]?.index ?? opened.lastIndex + 1;
  if (first === 1) return filled(new MemoryStorage(0, 0, limits), entries);
  if (first === applied.index + 1) {
    return filled(new MemoryStorage(applied.index, applied.term, limits), entries);
  }
  if (first === (base?.index ?? NaN) + 1) {
    return filled(new MemoryStorage(base!.index, base!.term, limits), entries);
  }
  // The term before the first entry is nowhere on disk, so the first entry serves as the base.
  return filled(new MemoryStorage(first, entries[0]!.term, limits), entries.slice(1));

  function filled(storage: MemoryStorage, content: OpenedWal["entries"]): MemoryStorage {
    storage.append(content);
    storage.trim(applied.index);
    return storage;
  }
}
