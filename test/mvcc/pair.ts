import assert from "node:assert/strict";
import { fromBinaryString, toBinaryString } from "../../src/base/bytes.ts";
import { EtcdError } from "../../src/base/etcd-errors.ts";
import type { RangeRequest, RequestOp, TxnRequest } from "../../src/codec/messages.ts";
import type { RangeOutcome } from "../../src/server/mvcc/types.ts";
import type { StoreLimits } from "../../src/server/mvcc/limits.ts";
import { revisionMain, revisionStart, revisionSub } from "../../src/server/mvcc/revision.ts";
import { EtcdModel } from "../model/etcd-model.ts";
import type { ModelEvent } from "../model/etcd-model.ts";
import { plainKv, rangeRequest, resultKvs, Rig } from "./rig.ts";

export type Write =
  | { op: "put"; key: string; value: string; lease: number }
  | { op: "delete"; key: string; end: string };

const leaseCount = 3;

/** The store and the model side by side: each step goes to both and must give the same answer. */
export class Pair {
  model = new EtcdModel();
  rig: Rig;
  /** What each entry did, for replay behind what was durable. */
  #log: ((model: EtcdModel) => void)[] = [];

  constructor(limits: Partial<StoreLimits>) {
    this.rig = new Rig(undefined, limits);
    this.#grantLeases();
  }

  txn(writes: readonly Write[]): void {
    const txn = this.rig.store.begin();
    for (const write of writes) {
      const key = fromBinaryString(write.key);
      if (write.op === "put") txn.put(key, fromBinaryString(write.value), BigInt(write.lease));
      else txn.deleteRange(key, fromBinaryString(write.end));
    }
    const revision = this.rig.entry(txn.end());
    this.#apply((model) => {
      model.txn(request(writes));
    });
    assert.equal(revision, this.model.revision);
  }

  compact(revision: number): void {
    const actual = this.rig.compact(revision);
    let expected: string | null = null;
    this.#apply((model) => {
      expected = model.compact(revision)?.message ?? null;
    });
    assert.equal(actual, expected);
  }

  range(range: RangeRequest): void {
    const expected = this.model.range(range);
    const actual = this.rig.store.range(range);
    if (expected instanceof EtcdError || actual instanceof EtcdError) {
      assert.equal(actual, expected);
      return;
    }
    assert.deepEqual([actual.count, actual.more], [expected.count, expected.more]);
    assert.deepEqual(resultKvs(actual), expected.kvs);
  }

  /** The same range in slices, a write and a compaction coming in between, and in pieces. */
  slicedRange(range: RangeRequest): void {
    const expected = this.model.range(range);
    if (expected instanceof EtcdError) return;
    const { store, hand } = this.rig;
    const cursor = store.rangeCursor(range);
    let late: RangeOutcome | null = null;
    const early = store.rangeSliced(range, (outcome) => {
      late = outcome;
    });
    const pieces: unknown[] = [];
    for (let isLast = false; !isLast;) {
      assert.ok(!(cursor instanceof EtcdError));
      const piece = cursor.next(2);
      assert.ok(!(piece instanceof EtcdError));
      pieces.push(...resultKvs(piece));
      isLast = piece.isLast;
    }
    assert.deepEqual(pieces, expected.kvs);
    this.txn([{ op: "delete", key: "\0", end: "\0" }]);
    this.compact(this.model.revision);
    for (let turns = 0; late === null && early === null && turns < 100; turns++) {
      hand.turn();
      this.rig.backend.flush();
    }
    const actual = early ?? late;
    assert.ok(actual !== null && !(actual instanceof EtcdError));
    assert.deepEqual(resultKvs(actual), expected.kvs);
    store.releaseRange(actual);
  }

  /** Forgets what was not durable; the model goes back to the last durable entry. */
  crash(kept = 0): void {
    this.rig = this.rig.restart(kept);
    this.model = new EtcdModel();
    this.#grantLeases();
    const log = this.#log.slice(0, this.rig.index);
    this.#log = [];
    for (const step of log) this.#apply(step);
    this.check();
  }

  /** Compares everything that can still be read. */
  check(): void {
    const { model } = this;
    const { store, leases } = this.rig;
    assert.equal(store.currentRevision, model.revision);
    assert.equal(store.compactRevision, model.compactRevision);
    for (let at = Math.max(1, model.compactRevision); at <= model.revision; at++) {
      this.range(rangeRequest("\0", "\0", { revision: at }));
    }
    this.#checkHistory();
    for (const key of new Set(model.events.map((event) => event.kv.key))) {
      assert.equal(leases.leaseOf(fromBinaryString(key)), model.leaseOf(key));
      const bytes = store.prevKeyValue(fromBinaryString(key), model.revision);
      assert.deepEqual(bytes && plainKv(bytes), model.prevKv(key, model.revision));
    }
  }

  /** Settles, then compares the stored rows: just what the last compaction had to leave. */
  checkRows(): void {
    this.rig.settle();
    const { events, compactRevision: compacted } = this.model;
    const isKept = (event: ModelEvent, i: number): boolean =>
      event.revision > compacted ||
      (!events.slice(i + 1).some((e) => e.kv.key === event.kv.key && e.revision <= compacted) &&
        (!event.isDelete || event.revision === compacted));
    const rows: string[] = [];
    this.rig.writer.view.range("key", revisionStart(0), null, (key) => {
      rows.push(`${String(revisionMain(key))}.${String(revisionSub(key))}`);
      return true;
    });
    const expected = events.filter(isKept).map((e) => `${String(e.revision)}.${String(e.sub)}`);
    assert.deepEqual(rows, expected);
    assert.equal(this.rig.store.index.records.count, expected.length);
    assert.equal(this.rig.backend.openViews, 1);
  }

  #checkHistory(): void {
    const { model } = this;
    const from = Math.max(1, model.compactRevision);
    const seen: ModelEvent[] = [];
    for (let next = from; next <= model.revision;) {
      const batch = this.rig.store.history(next, Infinity, { events: 3, bytes: 100 });
      assert.ok(!(batch instanceof EtcdError) && batch.next > next);
      next = batch.next;
      for (const { isDelete, modRevision: revision, sub, key, kv } of batch.events) {
        assert.equal(toBinaryString(key), plainKv(kv).key);
        seen.push({ isDelete, revision, sub, kv: plainKv(kv) });
      }
    }
    const expected = model.history(from);
    assert.ok(!(expected instanceof EtcdError));
    assert.deepEqual(withoutCompacted(seen, from), withoutCompacted(expected, from));
  }

  #apply(step: (model: EtcdModel) => void): void {
    this.#log.push(step);
    step(this.model);
  }

  #grantLeases(): void {
    for (let lease = 1; lease <= leaseCount; lease++) this.model.leaseGrant(BigInt(lease));
  }
}

/** At the compact revision only the last change of a key is sure to be left. */
function withoutCompacted(events: readonly ModelEvent[], compacted: number): ModelEvent[] {
  return events.filter(
    (event, i) =>
      event.revision > compacted ||
      !events.slice(i + 1).some((e) => e.revision === compacted && e.kv.key === event.kv.key),
  );
}

function request(writes: readonly Write[]): TxnRequest {
  const success = writes.map((write): RequestOp => {
    const common = { key: fromBinaryString(write.key), prevKv: false, canonical: true };
    if (write.op === "delete") {
      const deleteRange = { ...common, rangeEnd: fromBinaryString(write.end) };
      return { kind: "deleteRange", deleteRange };
    }
    const value = fromBinaryString(write.value);
    const lease = BigInt(write.lease);
    const put = { ...common, value, lease, ignoreValue: false, ignoreLease: false };
    return { kind: "put", put };
  });
  return { compare: [], success, failure: [], canonical: true };
}
