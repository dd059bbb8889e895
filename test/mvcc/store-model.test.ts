import { test } from "node:test";
import fc from "fast-check";
import { fromBinaryString } from "../../src/base/bytes.ts";
import { Pair } from "./pair.ts";
import type { Write } from "./pair.ts";
import { rangeRequest } from "./rig.ts";

/** Bounds so small that values leave memory and all work is sliced. */
const tiny = {
  slabBytes: 96,
  cacheBytesMax: 200,
  rangeKeysPerTurn: 3,
  compactionBatchLimit: 2,
  hashRowsPerTurn: 3,
};

const long = "b".repeat(60);
const key = fc.constantFrom("a", "ab", "a\0", "b", "ba", "c", "\xff", "\xff\xff", long);
const end = fc.constantFrom("", "\0", "b", "c", "\xff", "a", "zz");
const value = fc.constantFrom("", "1", "2", "x".repeat(30), "y".repeat(200));
const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });

const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: fc.constant("put"), key, value, lease: upTo(3) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("delete"), key, end }) },
);
const filter = fc.oneof(fc.constant(0), upTo(9));

type Step = (pair: Pair) => void;

/** Gives a step a name for the report of a counterexample. */
function named(name: string, detail: unknown, run: Step): Step {
  return Object.assign(run, { [fc.toStringMethod]: () => `${name} ${fc.stringify(detail)}` });
}

const txnStep = fc.array(write, { maxLength: 3 }).map((writes) =>
  named("txn", writes, (pair) => {
    pair.txn(writes);
  }),
);
const compactStep = upTo(3).map((back) =>
  named("compact", back, (pair) => {
    pair.compact(pair.model.revision - back);
  }),
);
const rangeStep = fc
  .record({
    key,
    end,
    back: upTo(5),
    isSliced: fc.boolean(),
    more: fc.record({
      limit: upTo(3),
      sortOrder: upTo(2),
      sortTarget: upTo(4),
      keysOnly: fc.boolean(),
      countOnly: fc.boolean(),
      minModRevision: filter,
      maxModRevision: filter,
      minCreateRevision: filter,
      maxCreateRevision: filter,
    }),
  })
  .map((range) =>
    named("range", range, (pair) => {
      const revision = range.back > 3 ? 0 : pair.model.revision - range.back + 1;
      const bytes = { key: fromBinaryString(range.key), rangeEnd: fromBinaryString(range.end) };
      const request = { ...rangeRequest("", "", { revision, ...range.more }), ...bytes };
      if (range.isSliced) pair.slicedRange(request);
      else pair.range(request);
    }),
  );
const turnStep = fc.constant(
  named("turn", "", (pair) => {
    pair.rig.hand.turn();
    pair.rig.hand.advance(10);
  }),
);
const flushStep = fc.constant(
  named("flush", "", (pair) => {
    pair.rig.backend.flush();
  }),
);
const crashStep = upTo(1).map((kept) =>
  named("crash", kept, (pair) => {
    pair.crash(kept);
  }),
);

const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: txnStep },
    { weight: 4, arbitrary: rangeStep },
    { weight: 3, arbitrary: turnStep },
    { weight: 3, arbitrary: flushStep },
    { weight: 1, arbitrary: compactStep },
    { weight: 1, arbitrary: crashStep },
  ),
  { minLength: 5, maxLength: 60 },
);

test("the store agrees with the model through eviction, compaction and restarts", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const pair = new Pair(tiny);
      for (const step of all) step(pair);
      pair.check();
      pair.checkRows();
      pair.check();
      pair.crash();
      pair.checkRows();
      pair.check();
    }),
    { numRuns: 250 },
  );
});

test("a compaction at every revision leaves everything at and above it readable", () => {
  const history: Write[] = [
    { op: "put", key: "a", value: "1", lease: 1 },
    { op: "put", key: "b", value: "2", lease: 0 },
    { op: "delete", key: "a", end: "" },
    { op: "put", key: "a", value: "3", lease: 2 },
    { op: "put", key: "b", value: "4", lease: 0 },
    { op: "delete", key: "a", end: "\0" },
  ];
  for (let revision = 0; revision <= history.length + 2; revision++) {
    const pair = new Pair(tiny);
    for (const each of history) pair.txn([each]);
    pair.compact(revision);
    for (let turns = 0; turns < 12; turns++) {
      pair.check();
      pair.rig.hand.turn();
      pair.rig.hand.advance(10);
      pair.rig.backend.flush();
    }
    pair.checkRows();
    pair.crash();
  }
});
