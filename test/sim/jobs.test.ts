import assert from "node:assert/strict";
import { test } from "node:test";
import { runJobs } from "./jobs.ts";

test("a child that ends or hangs fails its own task only; reports keep their order", async () => {
  const tasks = ["one", "dies", "two", "hangs", "three"];
  const told: string[] = [];
  const program = `${import.meta.dirname}/fixtures/tasks.ts`;
  await runJobs({ program, args: [], jobs: 2, taskMsMax: 5000 }, tasks, (task, result) => {
    told.push(`${task} ${result.isPassed} ${result.lines.join()}`);
  });
  assert.deepEqual(told, [
    "one true one",
    "dies false dies: its process ended: exit code 3",
    "two true two",
    "hangs false hangs: its process ended: SIGKILL",
    "three true three",
  ]);
});
