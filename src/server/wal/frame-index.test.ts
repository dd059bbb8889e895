import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameIndex } from "./frame-index.ts";

function filled(): FrameIndex {
  const index = new FrameIndex();
  index.add({ segment: 1, at: 512, bytes: 512, firstIndex: 1, lastIndex: 4 });
  index.add({ segment: 2, at: 512, bytes: 512, firstIndex: 5, lastIndex: 8 });
  return index;
}

test("frames of released segments are forgotten, the others are found", () => {
  const index = filled();
  index.dropBefore(2);
  assert.equal(index.find(4), -1);
  assert.equal(index.at(index.find(6))?.segment, 2);
});

// Found by the simulator: an election wrote a vote as the first frame of a new segment, and all
// entries before it were durable in the backend.
test("all frames may be forgotten when newer segments hold hard states only", () => {
  const index = filled();
  index.dropBefore(3);
  assert.equal(index.find(8), -1);
  index.add({ segment: 3, at: 1024, bytes: 512, firstIndex: 9, lastIndex: 9 });
  assert.equal(index.at(index.find(9))?.segment, 3);
});
