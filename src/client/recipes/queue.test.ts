import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeCluster } from "../../../test/client/fake-cluster.ts";
import { CanceledError } from "../errors.ts";
import { PriorityQueue, Queue } from "./queue.ts";

test("several takers get each element exactly once, and nobody waits for ever", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const cluster = new FakeCluster(seed);
    const queue = new Queue(cluster.client, "q");
    const taken: string[] = [];
    const end = new AbortController();
    const taker = async (): Promise<void> => {
      for (;;) {
        taken.push((await queue.dequeue({ signal: end.signal })).string());
        if (taken.length === 40) end.abort();
      }
    };
    const takers = Array.from({ length: 4 }, () => assert.rejects(taker(), CanceledError));
    const put = Array.from({ length: 40 }, (_, i) => String(i));
    await Promise.all(put.map((value) => queue.enqueue(value)));
    await Promise.all(takers);
    assert.deepEqual(taken.sort(), put.sort());
    assert.deepEqual(cluster.keys(), []);
  }
});

test("one taker gets the elements in the order they came", async () => {
  const cluster = new FakeCluster();
  const queue = new Queue(cluster.client, "q");
  for (const value of ["c", "a", "b"]) await queue.enqueue(value);
  await new Queue(cluster.client, "q2").enqueue("of another queue");
  assert.match(cluster.keys("q/")[0]!, /^q\/\d{19}$/);
  const taken = [];
  for (let i = 0; i < 3; i++) taken.push((await queue.dequeue()).string());
  assert.deepEqual(taken, ["c", "a", "b"]);
});

test("elements of the lowest priority number come first, equals in their order", async () => {
  const cluster = new FakeCluster(3);
  const queue = new PriorityQueue(cluster.client, "p");
  await queue.enqueue("late", 65_535);
  await queue.enqueue("second", 7);
  await queue.enqueue("third", 7);
  await queue.enqueue("first", 0);
  assert.deepEqual(cluster.keys("p/"), [
    "p/00000/0000000000000000",
    "p/00007/0000000000000000",
    "p/00007/0000000000000001",
    "p/65535/0000000000000000",
  ]);
  const taken = [];
  for (let i = 0; i < 4; i++) taken.push((await queue.dequeue()).string());
  assert.deepEqual(taken, ["first", "second", "third", "late"]);
});

test("concurrent elements of one priority all get a place of their own", async () => {
  const cluster = new FakeCluster(4);
  const queue = new PriorityQueue(cluster.client, "p");
  await Promise.all(Array.from({ length: 8 }, (_, i) => queue.enqueue(String(i), 1)));
  assert.equal(cluster.keys("p/").length, 8);
});

test("a priority out of bounds and a foreign key in the way are refused", async () => {
  const cluster = new FakeCluster();
  const queue = new PriorityQueue(cluster.client, "p");
  for (const priority of [-1, 65_536, 0.5, NaN]) {
    await assert.rejects(queue.enqueue("x", priority), RangeError);
  }
  await cluster.client.kv.put("p/00001/last", "");
  await assert.rejects(queue.enqueue("x", 1), /no element/);
});
