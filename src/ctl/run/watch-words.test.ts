import assert from "node:assert/strict";
import { test } from "node:test";

import { ExitError } from "../../cli/run.ts";
import { readWatchEnvironment, watchWords, WatchWordsError } from "./watch-words.ts";

const noEnvironment = { key: "", rangeEnd: "" };
const fromEnvironment = { key: "k", rangeEnd: "l" };

test("what comes behind -- is the command to run", () => {
  const line = { args: ["a", "b", "echo", "b"], argsBeforeDash: 2 };
  assert.deepEqual(watchWords(line, noEnvironment), { keys: ["a", "b"], command: ["echo", "b"] });
});

test("key and range may come from the environment instead", () => {
  const line = { args: ["echo"], argsBeforeDash: 0 };
  assert.deepEqual(watchWords(line, fromEnvironment), { keys: ["k", "l"], command: ["echo"] });
  const end = { ETCDCTL_WATCH_RANGE_END: "x" };
  const refusal = 'ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END="x"';
  assert.throws(() => readWatchEnvironment(end), new ExitError(128, refusal));
});

test("a watch without key, with two keys or without a command behind -- is refused", () => {
  const few = "bad number of arguments";
  const refused = [
    { line: { args: [], argsBeforeDash: -1 }, env: noEnvironment, message: few },
    {
      line: { args: ["a"], argsBeforeDash: 1 },
      env: noEnvironment,
      message: `${few} (found separator --, but no commands)`,
    },
    {
      line: { args: ["a"], argsBeforeDash: -1 },
      env: fromEnvironment,
      message: `${few} (found conflicting environment key)`,
    },
  ];
  for (const { line, env, message } of refused) {
    assert.throws(() => watchWords(line, env), new WatchWordsError(message));
  }
});
