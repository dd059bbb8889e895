import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { raftDefaults, validateConfig, type RaftConfig } from "./config.ts";

test("settings out of range are refused with their name and value", () => {
  const good: RaftConfig = { ...raftDefaults, id: 1n, random: createRandom(1) };
  validateConfig(good);
  const bad: [Partial<RaftConfig>, RegExp][] = [
    [{ id: 0n }, /raft id 0/],
    [{ heartbeatTicks: 0 }, /heartbeatTicks 0/],
    [{ electionTicks: 1 }, /electionTicks 1: it must be greater than heartbeatTicks 1/],
    [{ inflightsMax: 0.5 }, /inflightsMax 0\.5/],
    [{ messageBytesMax: -1 }, /messageBytesMax -1/],
    [{ uncommittedBytesMax: 0 }, /uncommittedBytesMax 0/],
    [{ committedBytesPerReadyMax: NaN }, /committedBytesPerReadyMax NaN/],
  ];
  for (const [change, message] of bad) {
    assert.throws(() => {
      validateConfig({ ...good, ...change });
    }, message);
  }
});
