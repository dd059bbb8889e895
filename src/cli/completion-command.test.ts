import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { completionScript } from "./completion-command.ts";

const shells = ["bash", "zsh", "fish", "powershell"];

test("every shell's script names the program and asks it", () => {
  for (const shell of shells) {
    const script = completionScript(shell, "etcdutl") ?? "";
    assert.match(script, /\betcdutl\b/, shell);
    assert.match(script, / __complete/, shell);
  }
  assert.equal(completionScript("csh", "etcdutl"), undefined);
});

test("bash takes the script and offers what the program answers", () => {
  // A program that offers two words, whatever it is asked.
  const program = String.raw`etcdutl() { printf 'snapshot\nstatus\nother\n:4\n'; }`;
  const ask = "COMP_WORDS=(etcdutl s); COMP_CWORD=1; _etcdutl; echo ${COMPREPLY[@]}";
  const script = [program, completionScript("bash", "etcdutl"), ask].join("\n");
  const { stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
  assert.deepEqual([stdout, stderr], ["snapshot status\n", ""]);
});
