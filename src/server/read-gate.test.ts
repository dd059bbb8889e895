import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadGate } from "./read-gate.ts";

function setUp() {
  const log: string[] = [];
  const asked: number[] = [];
  let wanted = 0;
  const gate = new ReadGate({ timeoutMs: 7000, retryMs: 500, wanted: () => wanted++ }, 0);
  return {
    log,
    asked,
    gate,
    wanted: () => wanted,
    request: (context: number) => asked.push(context) > 0,
    read: (name: string) => {
      gate.read({ ready: (error) => log.push(`${name}: ${error?.message ?? "read"}`) });
    },
  };
}

test("all reads of a turn share one read index", () => {
  const { gate, read, request, asked, log, wanted } = setUp();
  read("a");
  read("b");
  assert.equal(wanted(), 1);
  gate.begin(request);
  gate.confirmed(asked[0]!, 5, 5);
  assert.deepEqual(log, ["a: read", "b: read"]);
  gate.begin(request);
  assert.equal(asked.length, 1);
});

test("a read that comes after the request belongs to the next round", () => {
  const { gate, read, request, asked, log } = setUp();
  read("a");
  gate.begin(request);
  read("late");
  gate.begin(request);
  assert.equal(asked.length, 1);
  gate.confirmed(asked[0]!, 5, 5);
  assert.deepEqual(log, ["a: read"]);
  gate.begin(request);
  gate.confirmed(asked[1]!, 6, 6);
  assert.deepEqual(log, ["a: read", "late: read"]);
});

test("a read waits until its index is applied", () => {
  const { gate, read, request, asked, log } = setUp();
  read("a");
  gate.begin(request);
  gate.confirmed(asked[0]!, 5, 4);
  gate.appliedTo(4);
  assert.deepEqual(log, []);
  gate.appliedTo(5);
  assert.deepEqual(log, ["a: read"]);
});

test("an answer to an earlier attempt is ignored: each attempt has a new context", () => {
  const { gate, read, request, asked, log } = setUp();
  read("a");
  gate.begin(request);
  gate.tick(499, request);
  assert.equal(asked.length, 1);
  gate.tick(500, request);
  assert.equal(asked.length, 2);
  assert.notEqual(asked[0], asked[1]);
  gate.confirmed(asked[0]!, 5, 9);
  assert.deepEqual(log, []);
  gate.confirmed(asked[1]!, 6, 9);
  assert.deepEqual(log, ["a: read"]);
});

test("reads fail with the texts of etcd: timeout, slow apply, leader changed, stopped", () => {
  const { gate, read, request, asked, log } = setUp();
  read("unanswered");
  gate.begin(request);
  gate.tick(7000, request);
  read("slow");
  gate.begin(request);
  gate.confirmed(asked.at(-1)!, 9, 1);
  gate.tick(14_000, request);
  read("orphan");
  gate.begin(request);
  gate.leaderLost();
  read("stopped");
  gate.stop();
  read("after");
  assert.deepEqual(log, [
    "unanswered: etcdserver: request timed out",
    "slow: etcdserver: request timed out, waiting for the applied index took too long",
    "orphan: etcdserver: leader changed",
    "stopped: etcdserver: server stopped",
    "after: etcdserver: server stopped",
  ]);
  assert.deepEqual(gate.counters, { refused: 0, late: 1 });
});
