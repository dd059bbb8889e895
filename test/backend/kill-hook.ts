/**
 * Loaded before everything else in the process to be killed and in its threads (`--import`). Kills
 * the process at the n-th call of a file operation that the writer thread makes, right before it or
 * right after it, as KILL_AT says: `renameSync:1:after`.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";

type Operation = (...args: unknown[]) => unknown;

const killAt = process.env["KILL_AT"];
if (killAt !== undefined && !isMainThread) {
  const [name = "", count, when] = killAt.split(":");
  const operations = fs as unknown as Record<string, Operation>;
  const original = operations[name]!;
  const die = (): void => void process.kill(process.pid, "SIGKILL");
  let calls = 0;
  operations[name] = (...args) => {
    calls++;
    if (calls === Number(count) && when === "before") die();
    const result = original(...args);
    if (calls === Number(count) && when === "after") die();
    return result;
  };
  syncBuiltinESMExports();
}
