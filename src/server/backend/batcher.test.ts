import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../base/bytes.ts";
import { MemoryBackend } from "../../../test/mvcc/memory-backend.ts";
import { Hand } from "../../../test/mvcc/rig.ts";
import { BackendWriter } from "./batcher.ts";
import type { Batch } from "./backend.ts";

function setUp(batchRowsMax = 4): {
  backend: MemoryBackend;
  hand: Hand;
  writer: BackendWriter;
  put: (name: string) => void;
} {
  const backend = new MemoryBackend();
  const hand = new Hand();
  const fail = (error: Error): void => {
    throw error;
  };
  const limits = { batchRowsMax, batchIntervalMs: 100 };
  const writer = new BackendWriter({ backend, clock: hand, turn: hand, fail, limits });
  const put = (name: string): void => {
    writer.put("alarm", utf8(name), utf8("value"));
  };
  return { backend, hand, writer, put };
}

test("a batch closes after the interval with the last entry's index", () => {
  const { backend, hand, writer, put } = setUp();
  put("a");
  writer.applied(7, 3);
  hand.advance(99);
  assert.equal(backend.pending, 0);
  hand.advance(1);
  assert.equal(backend.pending, 1);
  assert.equal(writer.durableIndex, 0);
  backend.flush();
  assert.deepEqual([writer.durableIndex, writer.view.consistentIndex], [7, 7]);
  assert.equal(backend.openViews, 1);
});

test("a full batch closes only when its entry is whole", () => {
  const { backend, writer, put } = setUp();
  for (const name of ["a", "b", "c", "d", "e"]) put(name);
  assert.equal(backend.pending, 0);
  writer.applied(1, 1);
  assert.equal(backend.pending, 1);
  assert.ok(writer.overlayBytes > 0);
  backend.flush();
  assert.equal(writer.overlayBytes, 0);
});

test("one commit is in flight; the next follows it when due", () => {
  const { backend, hand, writer, put } = setUp();
  const durable: number[][] = [];
  writer.addListener({
    durable: (batch, index) => {
      durable.push([batch, index]);
    },
  });
  put("a");
  writer.applied(1, 1);
  hand.advance(100);
  put("b");
  writer.applied(2, 1);
  hand.advance(100);
  assert.equal(backend.pending, 1);
  backend.flush();
  assert.equal(backend.pending, 1);
  backend.flush();
  assert.deepEqual(durable, [
    [1, 1],
    [2, 2],
  ]);
});

test("an entry without rows moves the index too", () => {
  const { backend, hand, writer } = setUp();
  writer.applied(5, 1);
  hand.advance(100);
  backend.flush();
  assert.equal(writer.view.consistentIndex, 5);
});

test("a forced commit covers what came before it, in flight or not, and never answers at once", () => {
  const { backend, hand, writer, put } = setUp();
  const log: string[] = [];
  const commit = (name: string): void => {
    writer.commit(() => log.push(name));
  };
  commit("nothing");
  assert.deepEqual(log, []);
  hand.turn();
  put("a");
  commit("first");
  commit("in flight");
  put("b");
  commit("second");
  backend.flush();
  assert.deepEqual(log, ["nothing", "first", "in flight"]);
  backend.flush();
  assert.deepEqual(log, ["nothing", "first", "in flight", "second"]);
});

test("a failed commit goes to the owner and is not repeated", () => {
  const errors: string[] = [];
  let commits = 0;
  const hand = new Hand();
  class Failing extends MemoryBackend {
    override commit(_: Batch, done: (error: Error | null) => void): void {
      commits++;
      hand.next(() => {
        done(new Error("disk"));
      });
    }
  }
  const fail = (error: Error): void => {
    errors.push(error.message);
  };
  const writer = new BackendWriter({ backend: new Failing(), clock: hand, turn: hand, fail });
  writer.applied(1, 1);
  hand.advance(100);
  hand.turn();
  writer.applied(2, 1);
  hand.advance(100);
  assert.deepEqual([errors, commits, writer.durableIndex], [["disk"], 1, 0]);
});

test("a replacement that a stop cuts short is no failure, any other one is", () => {
  const errors: string[] = [];
  let end: (error: Error | null) => void = () => undefined;
  class Swapping extends MemoryBackend {
    override replace(_: string, done: (error: Error | null) => void): void {
      end = done;
    }
  }
  const fail = (error: Error): void => {
    errors.push(error.message);
  };
  const hand = new Hand();
  for (const isStopped of [true, false]) {
    const writer = new BackendWriter({ backend: new Swapping(), clock: hand, turn: hand, fail });
    writer.replace("next.mdb", { load: () => undefined, done: () => undefined });
    if (isStopped) writer.close();
    end(new Error("the backend is closing"));
    assert.equal(errors.length, isStopped ? 0 : 1);
  }
});

test("while a new backend is read, the old one is shown and commits wait", () => {
  class Swapping extends MemoryBackend {
    override replace(_: string, done: (error: Error | null) => void): void {
      done(null);
    }
  }
  const hand = new Hand();
  const fail = assert.fail;
  const writer = new BackendWriter({ backend: new Swapping(), clock: hand, turn: hand, fail });
  const before = writer.view;
  const happened: string[] = [];
  let loaded: () => void = () => undefined;
  writer.replace("next.mdb", {
    load: (view, done) => {
      assert.notEqual(view, before);
      loaded = done;
    },
    done: () => happened.push("done"),
  });
  writer.commit(() => happened.push("commit"));
  hand.turn();
  assert.deepEqual([writer.view, happened], [before, []]);
  loaded();
  assert.deepEqual(happened, ["done", "commit"]);
  assert.notEqual(writer.view, before);
  writer.close();
});
