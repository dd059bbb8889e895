import assert from "node:assert/strict";
import { test } from "node:test";
import { runSeed } from "./run.ts";

test("clusters under faults break no promise", () => {
  let operations = 0;
  let elections = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const { violations, counts } = runSeed({ seed, seconds: 5 });
    assert.deepEqual(violations, [], `seed ${seed}`);
    operations += counts.operations;
    elections += counts.elections;
  }
  // A run in which nothing happened proves nothing.
  assert.ok(operations > 1500, `${operations} operations`);
  assert.ok(elections > 10, `${elections} elections`);
});

test("a seed gives the same trace twice", () => {
  const request = { seed: 11, seconds: 5 };
  assert.equal(runSeed(request).hash, runSeed(request).hash);
});

test("a planted bug is caught, and is gone afterwards", () => {
  const caught = [1, 2, 3, 4].some(
    (seed) => runSeed({ seed, seconds: 5, planted: "watch-doubles-event" }).violations.length > 0,
  );
  assert.ok(caught);
  assert.deepEqual(runSeed({ seed: 1, seconds: 5 }).violations, []);
});
