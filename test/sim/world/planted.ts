/**
 * Bugs to be planted for one run, to see that the simulator catches them. Each changes a method of
 * the shipped classes from outside, so that no such switch exists in the code that ships.
 */

import { MessageType, type Message } from "../../../src/raft/message.ts";
import { Raft } from "../../../src/raft/raft.ts";
import { RawNode, type Ready } from "../../../src/raft/raw-node.ts";
import { ReadIndexTracker } from "../../../src/raft/read-index.ts";
import { RaftLog } from "../../../src/raft/log.ts";
import { Follower } from "../../../src/raft/follower.ts";
import { ApplyQueue } from "../../../src/server/apply-queue.ts";
import { BackendWriter } from "../../../src/server/backend/batcher.ts";
import { ServerCore } from "../../../src/server/core.ts";
import { LeaseExpiry } from "../../../src/server/lease-expiry.ts";
import { Lessor } from "../../../src/server/lease/lessor.ts";
import { History } from "../../../src/server/mvcc/history.ts";
import { KvStore } from "../../../src/server/mvcc/store.ts";
import { WatchableStore } from "../../../src/server/mvcc/watchable-store.ts";
import { Node } from "../../../src/server/node.ts";
import { ReadGate } from "../../../src/server/read-gate.ts";
import { WatchEncoder } from "../../../src/server/rpc/watch-encoder.ts";
import { Wal } from "../../../src/server/wal/wal.ts";
import { SimDisk } from "../disk.ts";

type Undo = () => void;

/** Puts another method in the place of one; the answer puts it back. */
function replace<T extends object, K extends keyof T>(
  target: T,
  name: K,
  make: (original: T[K]) => T[K],
): Undo {
  const original = target[name];
  target[name] = make(original);
  return () => {
    target[name] = original;
  };
}

/** Changes messages on their way into raft. */
function onStep(change: (raft: Raft, message: Message) => Message): Undo {
  return replace(Raft.prototype, "step", (step) => {
    return function (this: Raft, message) {
      step.call(this, change(this, message));
    };
  });
}

function onHardState(change: (state: HardStateOf) => HardStateOf): Undo {
  return replace(Wal.prototype, "append", (append) => {
    return function (this: Wal, hardState, entries) {
      return append.call(this, hardState === null ? null : change(hardState), entries);
    };
  });
}
type HardStateOf = NonNullable<Parameters<Wal["append"]>[0]>;

function onReady(change: (ready: Ready) => Ready): Undo {
  return replace(RawNode.prototype, "ready", (ready) => {
    return function (this: RawNode) {
      return change(ready.call(this));
    };
  });
}

function onDisk(name: "writeDurable" | "writeDurableNow"): Undo {
  return replace(SimDisk.prototype, "portFor", (portFor) => {
    return function (this: SimDisk, life) {
      const port = portFor.call(this, life);
      return {
        ...port,
        open: (path, mode, done) => {
          port.open(path, mode, (error, file) => {
            if (error !== null) done(error, file);
            else done(null, { ...file, [name]: lying(name, file) });
          });
        },
      };
    };
  });
}

type FileOf = Parameters<Parameters<ReturnType<SimDisk["portFor"]>["open"]>[2]>[1];

/** Answers as if the bytes were safe. */
function lying(name: "writeDurable" | "writeDurableNow", file: FileOf): unknown {
  if (name === "writeDurable") return file.write.bind(file);
  return (at: number, bytes: Uint8Array): void => {
    file.write(at, bytes, () => undefined);
  };
}

let count = 0;
/** True once in `n` calls. */
const now = (n: number): boolean => ++count % n === 0;

/** What of a lessor is private. */
interface Refreshing {
  refresh(lease: unknown, remainingMs: number): void;
}

const bugs: Readonly<Record<string, () => Undo>> = {
  "raft-votes-twice": () =>
    onStep((raft, message) => {
      if (message.type === MessageType.vote && message.term === raft.core.term) raft.core.vote = 0n;
      return message;
    }),
  "raft-votes-for-short-log": () =>
    onStep((_raft, message) =>
      message.type === MessageType.vote || message.type === MessageType.preVote
        ? { ...message, logTerm: message.term, index: Number.MAX_SAFE_INTEGER }
        : message,
    ),
  "raft-forgets-vote": () => onHardState((state) => ({ ...state, vote: 0n })),
  "raft-forgets-term": () => onHardState((state) => ({ ...state, term: state.term - 1 })),
  "raft-promises-before-sync": () =>
    onReady((ready) => ({
      ...ready,
      messages: [...ready.messages, ...ready.messagesAfterSync],
      messagesAfterSync: [],
    })),
  "raft-obeys-old-leaders": () =>
    onStep((raft, message) => {
      const isOld = message.type === MessageType.append && message.term < raft.core.term;
      return isOld && raft.core.role !== "leader" ? { ...message, term: raft.core.term } : message;
    }),
  "raft-counts-refused-votes": () =>
    onStep((_raft, message) =>
      message.type === MessageType.voteResponse ? { ...message, reject: false } : message,
    ),
  "raft-takes-refusals-for-acks": () =>
    onStep((_raft, message) =>
      message.type === MessageType.appendResponse ? { ...message, reject: false } : message,
    ),
  "raft-skips-log-check": () =>
    onStep((raft, message) =>
      message.type === MessageType.append && message.index <= raft.core.log.lastIndex
        ? { ...message, logTerm: raft.core.log.term(message.index) ?? message.logTerm }
        : message,
    ),
  "raft-commits-on-heartbeat": () =>
    onStep((raft, message) =>
      message.type === MessageType.heartbeat
        ? { ...message, commit: raft.core.log.lastIndex }
        : message,
    ),
  "raft-commits-without-quorum": () =>
    replace(Raft.prototype, "synced", (synced) => {
      return function (this: Raft, hardState) {
        synced.call(this, hardState);
        if (this.core.role === "leader") this.core.log.commitTo(this.core.log.syncedIndex);
      };
    }),
  "raft-commits-on-one-ack": () =>
    replace(Raft.prototype, "step", (step) => {
      return function (this: Raft, message) {
        step.call(this, message);
        const { core } = this;
        const isAck = message.type === MessageType.appendResponse && !message.reject;
        if (!isAck || core.role !== "leader" || message.term !== core.term) return;
        const acked = Math.min(message.index, core.log.syncedIndex);
        if (acked > core.log.commit) core.log.commitTo(acked);
      };
    }),
  "raft-reads-without-quorum": () =>
    replace(Raft.prototype, "readIndex", (readIndex) => {
      return function (this: Raft, context) {
        const { core } = this;
        if (core.role !== "leader") return readIndex.call(this, context);
        core.readStates.push({ context, index: core.log.commit });
        return true;
      };
    }),
  "raft-reads-on-followers": () =>
    replace(Raft.prototype, "readIndex", () => {
      return function (this: Raft, context) {
        this.core.readStates.push({ context, index: this.core.log.commit });
        return true;
      };
    }),
  "raft-counts-old-read-rounds": () =>
    replace(ReadIndexTracker.prototype, "acknowledge", (acknowledge) => {
      return function (this: ReadIndexTracker, round, ...rest) {
        for (let later = round + 1000; later > round; later--) {
          const confirmed = acknowledge.call(this, later, ...rest);
          if (confirmed.length > 0) return confirmed;
        }
        return acknowledge.call(this, round, ...rest);
      };
    }),
  "raft-doubles-proposals": () =>
    replace(Follower.prototype, "forwardProposal", (forward) => {
      return function (this: Follower, type, data) {
        forward.call(this, type, data);
        if (now(20)) forward.call(this, type, data);
      };
    }),
  "wal-not-durable": () => {
    const undo = [onDisk("writeDurable"), onDisk("writeDurableNow")];
    return () => {
      for (const one of undo.reverse()) one();
    };
  },
  "wal-released-early": () =>
    replace(Node.prototype, "releaseTo", () => {
      return function (this: Node) {
        this.wal.releaseTo(this.appliedIndex);
      };
    }),
  "wal-loses-entry": () =>
    replace(Wal.prototype, "append", (append) => {
      return function (this: Wal, hardState, entries) {
        const changed = entries.map((entry) =>
          now(100) ? { ...entry, data: new Uint8Array(0) } : entry,
        );
        return append.call(this, hardState, changed);
      };
    }),
  "apply-twice": () =>
    replace(ServerCore.prototype, "apply", (apply) => {
      return function (this: ServerCore, entry) {
        apply.call(this, entry);
        if (entry.index % 50 === 0) apply.call(this, entry);
      };
    }),
  "apply-skips-entry": () =>
    replace(ServerCore.prototype, "apply", (apply) => {
      return function (this: ServerCore, entry) {
        const isSkipped = entry.index % 50 === 0 && !this.node.isLeader;
        apply.call(this, isSkipped ? { ...entry, data: new Uint8Array(0) } : entry);
      };
    }),
  "backend-index-ahead": () =>
    replace(BackendWriter.prototype, "applied", (applied) => {
      return function (this: BackendWriter, index, term) {
        applied.call(this, index + 1, term);
      };
    }),
  "backend-index-behind": () =>
    replace(BackendWriter.prototype, "applied", (applied) => {
      return function (this: BackendWriter, index, term) {
        applied.call(this, Math.max(0, index - 1), term);
      };
    }),
  "backend-loses-row": () =>
    replace(BackendWriter.prototype, "put", (put) => {
      return function (this: BackendWriter, bucket, key, value) {
        if (bucket !== "key" || !now(100)) put.call(this, bucket, key, value);
      };
    }),
  "snapshot-index-behind": () =>
    replace(ApplyQueue.prototype, "installed", (installed) => {
      return function (this: ApplyQueue, metadata) {
        installed.call(this, { ...metadata, index: metadata.index - 1 });
      };
    }),
  "snapshot-keeps-old-store": () =>
    replace(KvStore.prototype, "reload", () => {
      return function (this: KvStore) {
        this.compactRevision = -1;
      };
    }),
  "store-revision-falls": () =>
    replace(KvStore.prototype, "restore", (restore) => {
      return function (this: KvStore, image) {
        restore.call(this, image);
        this.currentRevision = Math.max(1, this.currentRevision - 1);
      };
    }),
  "read-before-applied": () =>
    replace(ReadGate.prototype, "confirmed", (confirmed) => {
      return function (this: ReadGate, context, index, applied) {
        confirmed.call(this, context, Math.min(index, applied), applied);
      };
    }),
  "watch-loses-event": () =>
    replace(WatchableStore.prototype, "committed", (committed) => {
      return function (this: WatchableStore, revision, events) {
        if (!now(50)) committed.call(this, revision, events);
      };
    }),
  "watch-doubles-event": () =>
    replace(WatchableStore.prototype, "committed", (committed) => {
      return function (this: WatchableStore, revision, events) {
        committed.call(this, revision, events);
        if (now(50)) committed.call(this, revision, events);
      };
    }),
  "watch-resumes-late": () =>
    replace(History.prototype, "read", (read) => {
      return function (this: History, from, to, limits) {
        return read.call(this, Math.min(from + 1, to), to, limits);
      };
    }),
  "watch-notice-ahead": () =>
    replace(WatchEncoder.prototype, "sendControl", (send) => {
      return function (this: WatchEncoder, call, watchId, revision, what) {
        return send.call(this, call, watchId, revision + 1, what);
      };
    }),
  "lease-never-expires": () => replace(LeaseExpiry.prototype, "expired", () => () => undefined),
  "lease-expires-early": () =>
    replace(Lessor.prototype as unknown as Refreshing, "refresh", (refresh) => {
      return function (this: Refreshing, lease, remainingMs) {
        refresh.call(this, lease, remainingMs / 4);
      };
    }),
  "lease-forgets-key": () =>
    replace(Lessor.prototype, "attach", (attach) => {
      return function (this: Lessor, lease, key) {
        if (!now(2)) attach.call(this, lease, key);
      };
    }),
  "lease-keeps-keys": () =>
    replace(Lessor.prototype, "applyRevoke", (revoke) => {
      return function (this: Lessor, id) {
        const keys = revoke.call(this, id);
        return Array.isArray(keys) ? [] : keys;
      };
    }),
  "log-forgets-conflict": () =>
    replace(RaftLog.prototype, "lastIndexWithin", () => {
      return function (this: RaftLog, index) {
        return { index, term: this.term(index) ?? 0 };
      };
    }),
};

export const plantedNames: readonly string[] = Object.keys(bugs);

/** The answer takes the bug out again. Throws RangeError for an unknown name. */
export function plant(name: string): Undo {
  const bug = bugs[name];
  if (bug === undefined) throw new RangeError(`Cannot plant "${name}": ${plantedNames.join(", ")}`);
  count = 0;
  return bug();
}
