import assert from "node:assert/strict";
import { test } from "node:test";
import { sizeText } from "./size-text.ts";
import { UrlPicker } from "./url-picker.ts";

test("a URL is kept until it fails; late failures of others change nothing", () => {
  const picker = new UrlPicker(["a", "b", "c"]);
  const picked: string[] = [];
  for (const failed of ["b", "a", "a", "b", "c"]) {
    picker.unreachable(failed);
    picked.push(picker.pick());
  }
  assert.deepEqual(picked, ["a", "b", "b", "c", "a"]);
  picker.unreachable("a");
  picker.update(["d"]);
  assert.equal(picker.pick(), "d");
});

test("sizes are shown as etcd shows them", () => {
  const sizes = [0, 9, 10, 999, 1_000, 1_234_567, 20_000_000, 83e9];
  const want = ["0 B", "9 B", "10 B", "999 B", "1.0 kB", "1.2 MB", "20 MB", "83 GB"];
  assert.deepEqual(sizes.map(sizeText), want);
});
