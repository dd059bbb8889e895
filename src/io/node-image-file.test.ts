import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nodeImageFile } from "./node-image-file.ts";

const directory = mkdtempSync(join(tmpdir(), "quorate-image-"));
const path = join(directory, "image");
after(() => {
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
});

test("what was written in many parts is read in any pieces, and the end is noticed", () => {
  const file = nodeImageFile(path);
  const sink = file.create();
  const parts = Array.from({ length: 2500 }, (_, i) => new Uint8Array(3).fill(i));
  sink.write(parts);
  sink.write([new Uint8Array(0), Uint8Array.of(1)]);
  sink.close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const source = file.open()!;
  assert.equal(source.size, 7501);
  const all = new Uint8Array(7500);
  assert.ok(source.read(all));
  assert.deepEqual(all.subarray(3 * 2499), Uint8Array.of(195, 195, 195));
  assert.equal(source.read(new Uint8Array(2)), false);
  source.close();
});

test("creating takes the place of what was there, removing is repeatable", () => {
  const file = nodeImageFile(path);
  file.create().close();
  assert.equal(statSync(path).size, 0);
  file.remove();
  assert.equal(existsSync(path), false);
  file.remove();
  assert.equal(file.open(), null);
});
