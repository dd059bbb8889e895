import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compare, fromBinaryString, toBinaryString, utf8 } from "../../src/base/bytes.ts";
import { Batch, buckets } from "../../src/server/backend/backend.ts";
import type { Backend, Bucket, View } from "../../src/server/backend/backend.ts";

/** What a test of the contract runs on: a fresh database that can be closed and opened again. */
export interface BackendHarness {
  open(): Backend;
  /** Where a prepared environment may be. */
  preparedPath(name: string): string;
  /** While closed: puts the prepared environment in the place of the database, as boot does. */
  takePrepared(path: string): boolean;
  /** Removes what the test left. */
  dispose(): void;
}

type Row = readonly [key: string, value: string];
/** Text rows of every bucket that has some. */
export type Rows = Partial<Record<Bucket, Row[]>>;
export type Write = readonly [bucket: Bucket, key: string, value: string | null];

const text = toBinaryString;
const bytes = fromBinaryString;

export function batchOf(writes: readonly Write[], index?: number): Batch {
  const batch = new Batch();
  for (const [bucket, key, value] of writes) {
    if (value === null) batch.delete(bucket, bytes(key));
    else batch.put(bucket, bytes(key), bytes(value));
  }
  if (index !== undefined) batch.put("meta", utf8("consistent_index"), u64(index));
  return batch;
}

export function u64(value: number): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(value));
  return out;
}

export function whenDone(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null ? resolve() : reject(error)));
  });
}

export const commit = (backend: Backend, batch: Batch): Promise<void> =>
  whenDone((done) => backend.commit(batch, done));
export const defragment = (backend: Backend): Promise<void> =>
  whenDone((done) => backend.defragment(done));
export const close = (backend: Backend): Promise<void> => whenDone((done) => backend.close(done));

function rangeOf(view: View, bucket: Bucket, from = "", to: string | null = null): Row[] {
  const rows: Row[] = [];
  view.range(bucket, bytes(from), to === null ? null : bytes(to), (key, value) => {
    rows.push([text(key), text(value)]);
    return true;
  });
  return rows;
}

/** All rows but the consistent index. */
export function rowsOf(view: View): Rows {
  const found = buckets.map((name): [Bucket, Row[]] => [
    name,
    rangeOf(view, name).filter(([key]) => key !== "consistent_index"),
  ]);
  return Object.fromEntries(found.filter(([, rows]) => rows.length > 0));
}

export function withView<T>(backend: Backend, read: (view: View) => T): T {
  const view = backend.view();
  try {
    return read(view);
  } finally {
    view.close();
  }
}

class Model {
  readonly #rows = new Map<Bucket, Map<string, string>>();

  apply(writes: readonly Write[]): void {
    for (const [bucket, key, value] of writes) {
      const rows = this.#rows.get(bucket) ?? new Map<string, string>();
      this.#rows.set(bucket, rows);
      if (value === null) rows.delete(key);
      else rows.set(key, value);
    }
  }

  rows(): Rows {
    const sorted = [...this.#rows].map(([bucket, rows]): [Bucket, Row[]] => [
      bucket,
      [...rows].sort(([a], [b]) => compare(bytes(a), bytes(b))),
    ]);
    return Object.fromEntries(sorted.filter(([, rows]) => rows.length > 0));
  }
}

/** How the tests of a contract run on one adapter. */
export function contractOn(name: string, create: () => BackendHarness): Contract {
  return (title, run) =>
    test(`${name}: ${title}`, async () => {
      const harness = create();
      const backend = harness.open();
      try {
        await run(backend, harness);
      } catch (error) {
        // An open one would keep the test process alive.
        await close(backend).catch(() => {});
        throw error;
      } finally {
        harness.dispose();
      }
    });
}

/** Runs the contract of `Backend`, database files apart, against one adapter. */
export function backendContract(contract: Contract, propertyRuns: number): void {
  readContract(contract);
  commitContract(contract);
  defragmentContract(contract);
  propertyContract(contract, propertyRuns);
}

export type Contract = (
  title: string,
  run: (backend: Backend, harness: BackendHarness) => Promise<void>,
) => Promise<void>;

function readContract(contract: Contract): void {
  void contract("a new one is empty and has a size", async (backend) => {
    const view = backend.view();
    assert.equal(view.consistentIndex, 0);
    assert.deepEqual(rowsOf(view), {});
    assert.equal(view.get("key", bytes("a")), null);
    view.close();
    assert.ok(backend.size().file > 0);
    assert.ok(backend.size().inUse <= backend.size().file);
    await close(backend);
  });

  void contract("a range holds from <= key < to of one bucket in byte order", async (backend) => {
    const keys = ["\x00", "\x00\x00", "a", "a\x00", "ab", "b", "\x7f", "\x80", "\xff", "\xff\xff"];
    const writes = keys.map((key): Write => ["key", key, `v${key}`]);
    await commit(backend, batchOf([...writes.reverse(), ["lease", "a", "other"]]));
    const view = backend.view();
    const sorted = keys.toSorted((a, b) => compare(bytes(a), bytes(b)));
    const expected = (from: string, to: string | null) =>
      sorted
        .filter((k) => compare(bytes(k), bytes(from)) >= 0)
        .filter((k) => to === null || compare(bytes(k), bytes(to)) < 0)
        .map((k): Row => [k, `v${k}`]);
    for (const from of ["", ...keys, "zz", "\xff\xff\xff"]) {
      for (const to of [null, "", ...keys, "zz"]) {
        assert.deepEqual(rangeOf(view, "key", from, to), expected(from, to));
      }
    }
    view.close();
    await close(backend);
  });

  void contract("a range ends when the visitor says so", async (backend) => {
    await commit(backend, batchOf(["a", "b", "c"].map((k): Write => ["key", k, k])));
    const seen: string[] = [];
    withView(backend, (view) => {
      view.range("key", bytes("a"), null, (key) => seen.push(text(key)) < 2);
      // A range that ended early leaves the view usable.
      assert.equal(text(view.get("key", bytes("c"))!), "c");
    });
    assert.deepEqual(seen, ["a", "b"]);
    await close(backend);
  });

  void contract("a visitor may read the same view", async (backend) => {
    await commit(backend, batchOf(["a", "b", "c"].map((k): Write => ["key", k, `${k}${k}`])));
    const seen: Row[] = [];
    withView(backend, (view) =>
      view.range("key", bytes("a"), null, (key, value) => {
        seen.push([text(key), text(value)]);
        assert.equal(text(view.get("key", bytes("c"))!), "cc");
        return true;
      }),
    );
    assert.deepEqual(seen, [
      ["a", "aa"],
      ["b", "bb"],
      ["c", "cc"],
    ]);
    await close(backend);
  });

  void contract("what get returned stays as it was", async (backend) => {
    await commit(backend, batchOf(["a", "b"].map((k): Write => ["key", k, `${k}${k}`])));
    const values = withView(backend, (view) => ["a", "b"].map((k) => view.get("key", bytes(k))!));
    assert.deepEqual(values, [bytes("aa"), bytes("bb")]);
    await close(backend);
  });

  void contract("an empty value is a value", async (backend) => {
    await commit(backend, batchOf([["alarm", "k", ""]]));
    withView(backend, (view) => {
      assert.deepEqual(view.get("alarm", bytes("k")), new Uint8Array(0));
      assert.deepEqual(rangeOf(view, "alarm"), [["k", ""]]);
    });
    await close(backend);
  });
}

function commitContract(contract: Contract): void {
  void contract("the last write of a row in a batch wins", async (backend) => {
    await commit(
      backend,
      batchOf([
        ["key", "a", "1"],
        ["key", "a", "2"],
        ["key", "b", "1"],
        ["key", "b", null],
        ["key", "c", null],
        ["key", "c", "3"],
        ["key", "missing", null],
      ]),
    );
    const rows = withView(backend, rowsOf);
    assert.deepEqual(rows, {
      key: [
        ["a", "2"],
        ["c", "3"],
      ],
    });
    await close(backend);
  });

  void contract("a view shows what was durable when it was opened, for good", async (backend) => {
    await commit(backend, batchOf([["key", "a", "1"]], 1));
    const first = backend.view();
    await commit(backend, batchOf([["key", "a", "2"]], 2));
    const second = backend.view();
    await commit(backend, batchOf([["key", "a", null]], 3));
    assert.deepEqual(
      [first, second].map((v) => [v.consistentIndex, rowsOf(v)]),
      [
        [1, { key: [["a", "1"]] }],
        [2, { key: [["a", "2"]] }],
      ],
    );
    first.close();
    assert.deepEqual(rowsOf(second), { key: [["a", "2"]] });
    second.close();
    await close(backend);
  });

  void contract("a view opened in the turn of `done` shows that commit", async (backend) => {
    for (let index = 1; index <= 20; index++) {
      const before = backend.view();
      const seen = await new Promise<number>((resolve) => {
        backend.commit(batchOf([["key", "k", String(index)]], index), () => {
          withView(backend, (view) => resolve(view.consistentIndex));
        });
      });
      assert.equal(seen, index);
      assert.equal(before.consistentIndex, index - 1);
      before.close();
    }
    await close(backend);
  });

  void contract("commits end in order, each whole at any time", async (backend) => {
    const ended: number[] = [];
    const ends: Promise<void>[] = [];
    for (let i = 1; i <= 30; i++) {
      const writes = buckets.map((name): Write => [name, "row", String(i)]);
      ends.push(commit(backend, batchOf(writes, i)).then(() => void ended.push(i)));
      await new Promise<void>((resolve) => setImmediate(resolve));
      withView(backend, (view) => {
        const seen = new Set(buckets.map((n) => text(view.get(n, bytes("row")) ?? bytes("0"))));
        assert.deepEqual([...seen], [String(view.consistentIndex)]);
        assert.ok(view.consistentIndex >= (ended.at(-1) ?? 0), "a reported commit is missing");
      });
    }
    await Promise.all(ends);
    assert.deepEqual(
      ended,
      Array.from({ length: 30 }, (_, i) => i + 1),
    );
    await close(backend);
  });

  void contract("rows large and many, and none, are committed", async (backend) => {
    const model = new Model();
    const many = Array.from({ length: 20_000 }, (_, i): Write => ["key", `k${i}`, "v".repeat(99)]);
    const large: Write[] = [1 << 20, 3_000_000, (1 << 20) - 20].map((n, i) => [
      "lease",
      `large${i}`,
      String.fromCharCode(97 + i).repeat(n),
    ]);
    for (const writes of [[], large, many, [...large, ...many].reverse()]) {
      model.apply(writes);
      await commit(backend, batchOf(writes));
    }
    assert.deepEqual(withView(backend, rowsOf), model.rows());
    await close(backend);
  });

  void contract("close ends what was given before, and all is there again", async (b, harness) => {
    const ended: string[] = [];
    b.commit(batchOf([["key", "a", "1"]], 7), () => ended.push("commit"));
    await close(b);
    assert.deepEqual(ended, ["commit"]);
    const again = harness.open();
    withView(again, (view) => {
      assert.equal(view.consistentIndex, 7);
      assert.deepEqual(rowsOf(view), { key: [["a", "1"]] });
    });
    await close(again);
  });
}

function defragmentContract(contract: Contract): void {
  void contract(
    "defragment under writes loses nothing and gives space back",
    async (b, harness) => {
      const model = new Model();
      const write = (writes: Write[]): Promise<void> => {
        model.apply(writes);
        return commit(b, batchOf(writes));
      };
      const bulk = Array.from({ length: 2000 }, (_, i): Write => ["key", `${i}`, "x".repeat(500)]);
      await write(bulk);
      await write(bulk.slice(50).map(([bucket, key]): Write => [bucket, key, null]));
      const before = b.size();
      const old = b.view();
      const oldRows = rowsOf(old);
      let isRunning = true;
      const end = defragment(b).then(() => (isRunning = false));
      for (let i = 0; isRunning || i < 5; i++) {
        await write([
          ["key", `new${i}`, "y"],
          ["key", `${i % 50}`, i % 2 === 0 ? null : "z"],
          ["lease", "l", String(i)],
        ]);
      }
      await end;
      assert.deepEqual(withView(b, rowsOf), model.rows());
      assert.deepEqual(rowsOf(old), oldRows);
      old.close();
      assert.ok(b.size().file < before.file / 2, "the file did not shrink");
      await write([["key", "after", "1"]]);
      await close(b);
      const again = harness.open();
      assert.deepEqual(withView(again, rowsOf), model.rows());
      await close(again);
    },
  );

  void contract("defragments at the same time and one after the other all end", async (backend) => {
    await commit(backend, batchOf([["key", "a", "1"]]));
    const views: View[] = [];
    for (let i = 0; i < 3; i++) {
      views.push(backend.view());
      await Promise.all([defragment(backend), defragment(backend)]);
      await commit(backend, batchOf([["key", "a", String(i)]]));
    }
    const seen = views.map((view) => text(view.get("key", bytes("a"))!));
    assert.deepEqual(seen, ["1", "0", "1"]);
    for (const view of [views[1]!, views[0]!, views[2]!]) view.close();
    await close(backend);
  });

  void contract("close during defragment ends both", async (backend, harness) => {
    await commit(backend, batchOf([["key", "a", "1"]]));
    const end = defragment(backend).then(
      () => "done",
      () => "given up",
    );
    const last = commit(backend, batchOf([["key", "b", "2"]]));
    await close(backend);
    assert.ok(["done", "given up"].includes(await end));
    await last;
    const again = harness.open();
    assert.equal(
      withView(again, (view) => rangeOf(view, "key").length),
      2,
    );
    await close(again);
  });
}

function propertyContract(contract: Contract, runs: number): void {
  const write = fc.tuple(
    fc.constantFrom<Bucket>("key", "lease", "meta"),
    fc.string({ unit: fc.constantFrom("a", "b", "\x00", "\xff"), minLength: 1, maxLength: 3 }),
    fc.option(fc.string({ unit: fc.constantFrom("x", "\x00"), maxLength: 40 })),
  );
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.array(write, { maxLength: 20 }) },
    { weight: 1, arbitrary: fc.constant("defragment" as const) },
    { weight: 2, arbitrary: fc.constant("view" as const) },
  );
  void contract("it equals a plain map under any commits", async (backend) => {
    const model = new Model();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const views: { view: View; rows: Rows }[] = [];
        const ends: Promise<void>[] = [];
        for (const s of steps) {
          if (s === "defragment") ends.push(defragment(backend));
          else if (s === "view") {
            await Promise.all(ends);
            views.push({ view: backend.view(), rows: model.rows() });
          } else {
            model.apply(s);
            ends.push(commit(backend, batchOf(s)));
          }
        }
        await Promise.all(ends);
        assert.deepEqual(withView(backend, rowsOf), model.rows());
        for (const { view, rows } of views) {
          assert.deepEqual(rowsOf(view), rows);
          view.close();
        }
      }),
      { numRuns: runs },
    );
    await close(backend);
  });
}
