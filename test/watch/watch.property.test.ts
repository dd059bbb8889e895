import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromBinaryString } from "../../src/base/bytes.ts";
import type { Turn } from "../../src/base/ports.ts";
import { requestProgress } from "../../src/server/mvcc/watch-progress.ts";
import type { EventListener, HistorySource } from "../../src/server/mvcc/types.ts";
import { WatchableStore } from "../../src/server/mvcc/watchable-store.ts";
import type { Watcher, WatchStream } from "../../src/server/mvcc/watcher.ts";
import { checkWatch } from "../model/watch-rules.ts";
import type { SeenResponse, TrueEvent, WatchRecord } from "../model/watch-rules.ts";
import { createRequest, FakeStream } from "./fake-stream.ts";
import type { ReadKv } from "./fake-stream.ts";
import type { Op } from "./fake-store.ts";
import { FakeStore } from "./fake-store.ts";
import { FakeTurn } from "./fakes.ts";
import { RealStore } from "./real-store.ts";

const keyNames = ["a", "ab", "b", "c", "\xff"];
const streamCount = 3;

const command = fc.record({
  kind: fc.constantFrom(
    ...["put", "put", "put", "put", "delete", "txn", "compact", "burst"],
    ...["create", "create", "create", "cancel", "progress", "read", "read", "turn", "turn"],
  ),
  n: fc.nat(1_000_000),
});
type Command = { kind: string; n: number };

interface Tracked extends WatchRecord {
  stream: number;
  id: number;
  responses: SeenResponse[];
}

/** A store and its turns, moved by hand. */
interface Driver {
  readonly source: HistorySource;
  readonly turn: Turn;
  readonly truth: readonly TrueEvent[];
  /** undefined: the fake store's form. */
  readonly readKv: ReadKv | undefined;
  listen(listener: EventListener): void;
  txn(ops: readonly Op[]): void;
  compact(revision: number): void;
  /** Runs one turn; false if there was nothing to run. */
  step(): boolean;
}

function fakeDriver(): Driver {
  const store = new FakeStore();
  const turn = new FakeTurn();
  return {
    source: store,
    turn,
    truth: store.truth,
    readKv: undefined,
    listen: (listener) => (store.listener = listener),
    txn: (ops) => {
      store.txn(ops);
    },
    compact: (revision) => {
      store.compact(revision);
    },
    step: () => turn.step(),
  };
}

/** Watches of all kinds on slow streams over one store, driven by random commands. */
class World {
  readonly watch: WatchableStore;
  readonly outputs: FakeStream[];
  readonly streams: WatchStream[];
  readonly tracked: Tracked[] = [];
  private value = 0;

  private readonly driver: Driver;

  constructor(driver: Driver) {
    this.driver = driver;
    const { source, turn } = driver;
    this.watch = new WatchableStore({ source, turn, fragmentBytes: 110 });
    driver.listen(this.watch);
    this.outputs = [2, 5, 1e9].map((bound) => new FakeStream(bound, driver.readKv));
    this.streams = this.outputs.map((output) => this.watch.openStream(output));
  }

  run({ kind, n }: Command): void {
    const { driver } = this;
    const key = keyNames[n % keyNames.length]!;
    if (kind === "put") this.put(key);
    else if (kind === "delete") driver.txn([{ key, value: null }]);
    else if (kind === "txn") this.txn(n);
    else if (kind === "burst") for (let i = 0; i < n % 1500; i++) this.put(key);
    else if (kind === "compact") driver.compact(1 + (n % driver.source.currentRevision));
    else if (kind === "create") this.create(n);
    else if (kind === "cancel") this.cancel(n);
    else if (kind === "progress") this.progress(n % streamCount);
    else if (kind === "read") this.read(n % streamCount);
    else driver.step();
  }

  /** Reads every stream until nothing moves. */
  settle(): void {
    const { driver } = this;
    for (let i = 0; i < 20_000; i++) {
      const isBusy = driver.step();
      for (let s = 0; s < streamCount; s++) this.read(s);
      if (!isBusy && this.watch.slowCount === 0) return;
    }
    assert.fail("watches never caught up");
  }

  violations(): string[] {
    const { source, truth: events } = this.driver;
    const { compactRevision, currentRevision: settledRevision } = source;
    const truth = { events, compactRevision, settledRevision };
    return this.tracked.flatMap((one) => checkWatch(truth, one));
  }

  private put(key: string): void {
    this.driver.txn([{ key, value: String(this.value++) }]);
  }

  private txn(n: number): void {
    const ops = keyNames.map((key, i) => {
      const isDelete = (n >> i) % 3 === 0;
      return { key, value: isDelete ? null : String(this.value++) };
    });
    this.driver.txn(ops.slice(n % 4));
  }

  private create(n: number): void {
    const stream = n % streamCount;
    const start = keyNames[(n >> 2) % keyNames.length]!;
    const end = [undefined, undefined, null, "c", "bz"][(n >> 4) % 5];
    if (typeof end === "string" && end <= start) return;
    const startRevision = [0, 0, 1 + ((n >> 3) % (this.driver.source.currentRevision + 5))][n % 3]!;
    const flags = { noPut: n % 7 === 0, noDelete: n % 5 === 0, prevKv: n % 2 === 0 };
    const options = { ...flags, startRevision, fragment: n % 11 === 0 };
    const rangeEnd = end === undefined ? "" : (end ?? "\0");
    const output = this.outputs[stream]!;
    const name = `watch ${this.tracked.length}`;
    const request = createRequest(fromBinaryString(start), fromBinaryString(rangeEnd), options);
    const watcher: Watcher | null = this.watch.create(this.streams[stream]!, request);
    const { id } = watcher!;
    this.tracked.push({ ...options, name, stream, id, start, end, responses: output.of(id) });
  }

  private cancel(n: number): void {
    const one = this.tracked[n % Math.max(1, this.tracked.length)];
    if (one !== undefined) this.watch.cancel(this.streams[one.stream]!, one.id);
  }

  /** A stream notice is a notice to each of its watches. */
  private progress(s: number): void {
    const output = this.outputs[s]!;
    requestProgress(this.watch, this.streams[s]!);
    for (const notice of output.of(-1).splice(0)) {
      for (const one of this.tracked) {
        const isOpen = this.streams[s]!.watchers.has(one.id);
        if (one.stream === s && isOpen) one.responses.push(notice);
      }
    }
  }

  private read(s: number): void {
    this.outputs[s]!.pending = 0;
    this.watch.resume(this.streams[s]!);
  }
}

function checkRules(makeDriver: () => Driver, numRuns: number): void {
  let responses = 0;
  fc.assert(
    fc.property(fc.array(command, { maxLength: 120, size: "max" }), (commands) => {
      const world = new World(makeDriver());
      for (const one of commands) world.run(one);
      world.settle();
      assert.deepEqual(world.violations(), []);
      for (const one of world.tracked) responses += one.responses.length;
      for (const stream of world.streams) world.watch.closeStream(stream);
      assert.equal(world.watch.counters.watchers + world.watch.synced.size, 0);
      assert.equal(world.watch.slowCount, 0);
    }),
    { numRuns },
  );
  assert.ok(responses > numRuns * 5, "the property saw too little");
}

test("watch rules W1 to W7 hold for random histories, watches and slow streams", () => {
  checkRules(fakeDriver, 100);
});

test("they hold over the real store, with backend commits and compactions in between", () => {
  checkRules(() => new RealStore(), 60);
});
