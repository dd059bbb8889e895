import assert from "node:assert/strict";
import { readFile } from "node:fs";
import { test } from "node:test";
import { Histogram } from "../base/metrics.ts";
import { createNodeClock, createNodeTurn } from "./node-clock.ts";

test("atEnd runs everything of a turn in order, what is added meanwhile too", async () => {
  const turn = createNodeTurn();
  const seen: string[] = [];
  turn.atEnd(() => {
    seen.push("a");
    turn.atEnd(() => seen.push("c"));
  });
  turn.atEnd(() => seen.push("b"));
  seen.push("now");
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, ["now", "a", "b", "c"]);
});

test("atFlush runs once, after all that the turn's end brought, and may bring more", async () => {
  const turn = createNodeTurn();
  const seen: string[] = [];
  turn.atFlush(() => {
    seen.push("flush 1");
    turn.atEnd(() => {
      seen.push("c");
      turn.atFlush(() => seen.push("flush 2"));
    });
  });
  turn.atEnd(() => {
    seen.push("a");
    turn.atEnd(() => seen.push("b"));
  });
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, ["a", "b", "flush 1", "c", "flush 2"]);
});

test("next comes after the end of the turn it was asked in, one turn per step", async () => {
  const turn = createNodeTurn();
  const seen: string[] = [];
  await new Promise<void>((resolve) => {
    readFile(import.meta.filename, () => {
      turn.next(() => {
        seen.push("next 1");
        turn.next(() => {
          seen.push("next 2");
          resolve();
        });
        turn.atEnd(() => seen.push("end 2"));
      });
      turn.atEnd(() => seen.push("end 1"));
    });
  });
  assert.deepEqual(seen, ["end 1", "next 1", "end 2", "next 2"]);
});

test("each turn is measured once, from its first work to its end", async () => {
  const seconds = new Histogram([0.01]);
  const turn = createNodeTurn(seconds);
  turn.atEnd(() => {
    const end = performance.now() + 20;
    while (performance.now() < end);
  });
  await new Promise<void>((resolve) => {
    turn.next(() => {
      turn.atEnd(resolve);
    });
  });
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.equal(seconds.counts[1], 1, "the busy turn");
  assert.ok(seconds.sum >= 0.02);
  assert.equal(
    seconds.counts.reduce((a, b) => a + b),
    2,
  );
});

test("a timer's work is measured as part of its turn", async () => {
  const seconds = new Histogram([0.01]);
  const clock = createNodeClock(createNodeTurn(seconds));
  const alive = setTimeout(() => {}, 60_000);
  await new Promise<void>((resolve) => {
    clock.after(1, () => {
      const end = performance.now() + 20;
      while (performance.now() < end);
      setImmediate(resolve); // behind the turn's own
    });
  });
  clearTimeout(alive);
  assert.deepEqual([...seconds.counts], [0, 1]);
});

test("a cancelled timer never runs, another one runs once", async () => {
  const clock = createNodeClock();
  let ran = 0;
  clock
    .after(1, () => {
      ran += 100;
    })
    .cancel();
  const before = clock.now();
  // The clock's timers do not keep a process alive; this one does.
  const alive = setTimeout(() => {}, 60_000);
  await new Promise<void>((resolve) => {
    clock.after(2, () => {
      ran++;
      resolve();
    });
  });
  clearTimeout(alive);
  assert.equal(ran, 1);
  assert.ok(clock.now() > before);
});
