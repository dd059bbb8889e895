import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openLmdbBackend } from "../../src/server/backend/lmdb.ts";
import { clearPrepared } from "../../src/server/backend/lmdb-prepared.ts";
import { close, commit, batchOf } from "./contract.ts";
import { plainTurn } from "./plain-turn.ts";
import { wholeness } from "./wholeness.ts";

/** More kills of each kind: QUORATE_KILLS=100. */
const randomKills = Number(process.env["QUORATE_KILLS"] ?? 1);

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Life {
  /** Last commit the child saw reported durable. */
  readonly reported: number;
  readonly lines: readonly string[];
  readonly signal: NodeJS.Signals | null;
}

interface Death {
  readonly mode: "commit" | "defragment" | "replace";
  /** File operation of the writer thread at which the child kills itself. */
  readonly at?: string;
  /** Or: killed from outside after so many lines. */
  readonly afterLines?: number;
  /** Longest file the child may write, in KiB. */
  readonly fileKiBMax?: number;
}

function live(directory: string, death: Death): Promise<Life> {
  const node = [process.execPath, "--import", pathOf("./kill-hook.ts")];
  const command = [...node, pathOf("./kill-child.ts"), directory, death.mode];
  // A write beyond the limit shall fail, not end the process.
  const limit = `trap '' XFSZ; ulimit -f ${death.fileKiBMax ?? "unlimited"}; exec "$@"`;
  const child = spawn("bash", ["-c", limit, "bash", ...command], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...(death.at === undefined ? {} : { KILL_AT: death.at }) },
  });
  return new Promise((resolve) => {
    let output = "";
    child.stdout.on("data", (data: Buffer) => {
      output += data.toString("latin1");
      if (output.split("\n").length > (death.afterLines ?? Infinity)) child.kill("SIGKILL");
    });
    child.on("close", (_, signal) => {
      // The last line may be cut.
      const lines = output.split("\n").slice(0, -1);
      const reported = Math.max(0, ...lines.filter((l) => /^\d+$/.test(l)).map(Number));
      resolve({ reported, lines, signal });
    });
  });
}

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "quorate-kill-"));
  try {
    await run(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What was reported is there, whole, and the database can be written again. */
async function checkSurvived(directory: string, reported: number): Promise<void> {
  const backend = openLmdbBackend({ directory, turn: plainTurn });
  const found = wholeness(backend);
  assert.ok(found >= reported, `commit ${reported} was reported, only ${found} is there`);
  await commit(backend, batchOf([["alarm", "after", "1"]]));
  await close(backend);
  clearPrepared(join(directory, "snap"));
  const left = readdirSync(directory)
    .filter((name) => name !== "snap")
    .sort();
  assert.deepEqual(left, ["data.mdb", "data.mdb-lock"]);
}

/** While copying, while catching up, and around the swap. */
const swapDeaths = [
  "fsync:1:before",
  "readSync:1:before",
  "renameSync:1:before",
  "renameSync:1:after",
  "renameSync:2:after",
];
const moreSwapDeaths = [
  "openSync:1:after",
  "writeSync:2:after",
  "fsyncSync:1:after",
  "rmSync:2:after",
];
if (randomKills > 1) swapDeaths.push(...moreSwapDeaths);

for (const at of swapDeaths) {
  test(`nothing reported is lost by a kill in defragment at ${at}`, () =>
    inDirectory(async (directory) => {
      const life = await live(directory, { mode: "defragment", at });
      assert.equal(life.signal, "SIGKILL");
      await checkSurvived(directory, life.reported);
    }));
}

/**
 * While receiving and loading, and around the swap: each thread that takes a file in renames once,
 * the writer twice a swap, so 3 and 4 are those of its second swap.
 */
const replaceDeaths = [
  "writeSync:1:after",
  "fsyncSync:1:before",
  "renameSync:1:before",
  "renameSync:1:after",
  "renameSync:3:before",
  "renameSync:3:after",
  "renameSync:4:after",
];

for (const at of replaceDeaths) {
  test(`nothing reported is lost by a kill in a replacement at ${at}`, () =>
    inDirectory(async (directory) => {
      mkdirSync(join(directory, "snap"));
      const life = await live(directory, { mode: "replace", at });
      assert.equal(life.signal, "SIGKILL");
      await checkSurvived(directory, life.reported);
    }));
}

for (const mode of ["commit", "defragment"] as const) {
  test(`nothing reported is lost by repeated kills during ${mode}`, () =>
    inDirectory(async (directory) => {
      let before = 0;
      for (let i = 0; i < randomKills; i++) {
        const afterLines = 20 + ((i * 61) % 200);
        const life = await live(directory, { mode, afterLines });
        assert.equal(life.signal, "SIGKILL");
        assert.ok(life.reported > before, "no progress");
        await checkSurvived(directory, life.reported);
        before = life.reported;
      }
    }));
}

test("a commit that fails is reported, ends all commits, and loses none before it", () =>
  inDirectory(async (directory) => {
    const life = await live(directory, { mode: "commit", fileKiBMax: 300 });
    assert.equal(life.signal, null);
    assert.match(life.lines.at(-3) ?? "", /^failed The backend cannot commit any more: /);
    assert.deepEqual(life.lines.slice(-2), ["later failed", "closed failed"]);
    assert.ok(life.reported > 0);
    await checkSurvived(directory, life.reported);
  }));
