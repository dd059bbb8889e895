import { utf8 } from "../../src/base/bytes.ts";
import { createRandom } from "../../src/base/random.ts";
import { AlarmStore } from "../../src/server/apply/alarm.ts";
import { BackendWriter } from "../../src/server/backend/batcher.ts";
import type { Backend } from "../../src/server/backend/backend.ts";
import { Lessor } from "../../src/server/lease/lessor.ts";
import { Cluster } from "../../src/server/member/cluster.ts";
import { storeLimits } from "../../src/server/mvcc/limits.ts";
import { KvStore } from "../../src/server/mvcc/store.ts";
import type { StoreLimits } from "../../src/server/mvcc/limits.ts";
import { WatchableStore } from "../../src/server/mvcc/watchable-store.ts";
import { installState } from "../../src/server/state.ts";
import type { Reloaded, State } from "../../src/server/state.ts";
import { plainTurn } from "../backend/plain-turn.ts";
import { createQuickClock } from "../backend/quick-clock.ts";
import { endImport, exported, fill } from "../backend/image-contract.ts";
import { checksum, plainKv, silent } from "../mvcc/rig.ts";
import { SimBackendDisk } from "../sim/backend.ts";
import { createRequest, FakeStream } from "../watch/fake-stream.ts";
import type { CreateOptions } from "../watch/fake-stream.ts";

/** One entry of the log: a put, a deletion (null) or a compaction. */
export type Entry =
  | { readonly key: string; readonly value: string | null; readonly lease?: bigint }
  | { readonly compact: number };

export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const turnsMax = 5000;

/** Turns until it is so. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; !isSo(); i++) {
    if (i === turnsMax) throw new Error("it does not happen");
    await nextTurn();
  }
}

/** State machine and backend of a member, fed with entries by hand. */
export class MemberRig {
  readonly clock = createQuickClock();
  readonly disk: SimBackendDisk;
  readonly backend: Backend;
  readonly state: State;
  index = 0;
  #installs = 0;

  constructor(limits: Partial<StoreLimits> = {}, disk = new SimBackendDisk()) {
    this.disk = disk;
    const { clock } = this;
    const turn = plainTurn;
    this.backend = this.disk.open({ clock, random: createRandom(5) });
    const fail = (error: Error): never => {
      throw error;
    };
    const writer = new BackendWriter({ backend: this.backend, clock, turn, fail });
    const lessor = new Lessor({
      ...{ clock, turn, rows: writer, minTtlSeconds: 2 },
      proposeRevoke: () => undefined,
      proposeCheckpoints: () => undefined,
    });
    const store = new KvStore({
      ...{ writer, clock, turn, checksum, leases: lessor, log: silent, hashSeed: 3 },
      limits: { ...storeLimits, compactionSleepMs: 1, ...limits },
    });
    store.restore();
    const watchable = new WatchableStore({ source: store, turn, fragmentBytes: 1 << 21 });
    store.setListener(watchable);
    this.state = {
      ...{ writer, store, watchable, lessor, alarms: new AlarmStore(writer) },
      cluster: new Cluster({ clusterId: 1n, localId: 2n }, writer, {
        ...{ log: silent, learnersMax: 1 },
      }),
      applied: { index: 0, term: 0 },
      confState: {
        ...{ voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
      },
      saveImage: () => undefined,
    };
  }

  /** Returns the revision afterwards. */
  apply(entry: Entry): number {
    const { store, writer } = this.state;
    if ("compact" in entry) {
      store.compact(entry.compact, null);
    } else {
      const txn = store.begin();
      const key = utf8(entry.key);
      if (entry.value === null) txn.deleteRange(key, new Uint8Array(0));
      else txn.put(key, utf8(entry.value), entry.lease ?? 0n);
      txn.end();
    }
    writer.applied(++this.index, 1);
    return store.currentRevision;
  }

  commit(): Promise<void> {
    return new Promise((resolve) => {
      this.state.writer.commit(resolve);
    });
  }

  /** The database file of everything applied. */
  async file(): Promise<Uint8Array> {
    await this.commit();
    return exported(this.backend);
  }

  async prepare(file: Uint8Array): Promise<string> {
    const path = `${++this.#installs}.next`;
    const into = this.backend.importImage(path);
    await fill(into, file);
    await endImport(into);
    return path;
  }

  install(path: string): Promise<Reloaded> {
    return new Promise((resolve) => {
      installState(this.state, path, (installed) => {
        this.index = installed.index;
        resolve(installed);
      });
    });
  }

  /** A stream with one watch on every key. */
  watch(options: CreateOptions = {}): FakeStream {
    const output = new FakeStream(Infinity, plainKv);
    const stream = this.state.watchable.openStream(output);
    this.state.watchable.create(stream, createRequest(utf8("\0"), utf8("\0"), options));
    return output;
  }

  /** Everything committed was dispatched and every watcher has caught up. */
  settled(): Promise<void> {
    const { watchable } = this.state;
    return until(() => watchable.slowCount === 0 && watchable.pendingEvents === 0);
  }

  async close(): Promise<void> {
    this.state.store.close();
    await this.commit();
    this.state.writer.close();
    await new Promise((resolve) => {
      this.backend.close(resolve);
    });
  }
}
