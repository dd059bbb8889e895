import assert from "node:assert/strict";
import { test } from "node:test";

import type { GrpcCall } from "../../http2/types.ts";
import { RequireLeader } from "./require-leader.ts";

function rig(): {
  streams: RequireLeader;
  look: () => void;
  waiting: () => number;
  state: { hasLeader: boolean };
  ended: GrpcCall[];
} {
  const due: (() => void)[] = [];
  const state = { hasLeader: true };
  const ended: GrpcCall[] = [];
  const streams = new RequireLeader({
    clock: {
      after: (_delayMs, run) => {
        due.push(run);
        return { cancel: () => undefined };
      },
    },
    electionTimeoutMs: 1000,
    hasLeader: () => state.hasLeader,
    end: (call) => ended.push(call),
  });
  return { streams, look: () => due.shift()?.(), waiting: () => due.length, state, ended };
}

const call = (done = false): GrpcCall => ({ done }) as GrpcCall;

test("a stream ends at the third look in a row without a leader", () => {
  const { streams, look, waiting, state, ended } = rig();
  const open = call();
  streams.add(open);
  state.hasLeader = false;
  look();
  look();
  state.hasLeader = true;
  look();
  state.hasLeader = false;
  look();
  look();
  assert.deepEqual(ended, []);
  look();
  assert.deepEqual(ended, [open]);
  assert.equal(waiting(), 0);
});

test("nobody looks for a leader when no stream is left", () => {
  const { streams, look, waiting, state, ended } = rig();
  streams.add(call(true));
  streams.add(call(true));
  assert.equal(waiting(), 1);
  state.hasLeader = false;
  look();
  assert.equal(waiting(), 0);
  streams.add(call());
  look();
  look();
  assert.deepEqual(ended, []);
  look();
  assert.equal(ended.length, 1);
});
