import assert from "node:assert/strict";
import { test } from "node:test";
import { applySimpleChange, emptyConfState, isVoter } from "./conf-change.ts";
import { ConfChangeType as T } from "./message.ts";

test("simple changes keep a node in one role", () => {
  let conf = emptyConfState;
  const step = (type: 0 | 1 | 2 | 3, nodeId: bigint): string => {
    conf = applySimpleChange(conf, { type, nodeId });
    return `${conf.voters.join()}|${conf.learners.join()}`;
  };
  assert.equal(step(T.addNode, 3n), "3|");
  assert.equal(step(T.addNode, 3n), "3|");
  assert.equal(step(T.addLearner, 1n), "3|1");
  assert.equal(step(T.addNode, 1n), "1,3|");
  assert.equal(step(T.addLearner, 3n), "1|3");
  assert.equal(step(T.updateNode, 1n), "1|3");
  assert.equal(step(T.removeNode, 0n), "1|3");
  assert.equal(isVoter(conf, 3n), false);
  assert.equal(step(T.removeNode, 3n), "1|");
  assert.throws(() => step(T.removeNode, 1n), /last voter/);
});
