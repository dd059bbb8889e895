import assert from "node:assert/strict";
import { test } from "node:test";
import { workerEntry } from "./worker-entry.ts";

test("a worker runs the file of the same kind as the module that starts it", () => {
  assert.equal(workerEntry("file:///q/src/a/b.ts", "w").href, "file:///q/src/a/w.ts");
  assert.equal(workerEntry("file:///q/dist/a/b.js", "w").href, "file:///q/dist/a/w.js");
});
