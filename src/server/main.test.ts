import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { suite, test } from "node:test";

const main = join(import.meta.dirname, "main.ts");
const runner = join(import.meta.dirname, "../../tools/run.mjs");

/** A program that runs serverMain around a server which the code in `start` makes. */
function program(start: string, ...args: string[]): string[] {
  const text = `
    import { serverMain } from ${JSON.stringify(main)};
    const start = async (config, io) => { ${start} };
    await serverMain(${JSON.stringify(args)}, "0.0.0", async () => start);
  `;
  return ["--input-type=module-typescript", "--eval", text];
}

const healthy = `
  const alive = setInterval(() => {}, 1000);
  io.log.info("serving");
  return { close: async () => { clearInterval(alive); io.log.info("closed"); } };
`;

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
}

/** Runs until the end; sends `signal` once the program says that it serves. */
async function run(command: readonly string[], signal?: NodeJS.Signals): Promise<Ended> {
  const child: ChildProcess = spawn(process.execPath, command, {
    env: { PATH: process.env["PATH"] },
  });
  let output = "";
  let isSent = false;
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
    if (signal === undefined || isSent || !output.includes('"serving"')) return;
    isSent = true; // a second one would end the process at once
    child.kill(signal);
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  const [code, ending] = (await once(child, "close")) as [number | null, string | null];
  return { code, signal: ending, output };
}

function messages(output: string): unknown[] {
  return output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => (JSON.parse(line) as { msg: unknown }).msg);
}

suite("the server's process", { concurrency: 2 }, () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal} closes the server, then ends the process by ${signal}`, async () => {
      const ended = await run(program(healthy), signal);
      assert.equal(ended.signal, signal);
      assert.deepEqual(messages(ended.output).slice(-3), [
        "serving",
        "received signal; shutting down",
        "closed",
      ]);
    });
  }

  test("SIGTERM ends a server that waits for its cluster to start with it", async () => {
    const waiting = `
      setInterval(() => {}, 1000);
      io.log.info("serving");
      await new Promise(() => {});
    `;
    const ended = await run(program(waiting), "SIGTERM");
    assert.equal(ended.signal, "SIGTERM");
    assert.equal(messages(ended.output).at(-1), "received signal; shutting down");
  });

  test("a member that learns while it starts that it was removed exits with 0", async () => {
    const removed = `
      setInterval(() => {}, 1000);
      setTimeout(io.removed, 1);
      await new Promise(() => {});
    `;
    const ended = await run(program(removed));
    assert.equal(ended.code, 0);
  });

  test("a signal to the launcher reaches the server and ends the launcher alike", async () => {
    const ended = await run([runner, ...program(healthy)], "SIGTERM");
    assert.equal(ended.signal, "SIGTERM");
    assert.equal(messages(ended.output).at(-1), "closed");
  });

  test("a server that cannot start says why and exits with 1", async () => {
    const ended = await run(program(`throw new Error("listen: address already in use");`));
    assert.equal(ended.code, 1);
    const line = ended.output.trim().split("\n").at(-1) ?? "";
    const { level, msg, error } = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(
      { level, msg, error },
      {
        level: "fatal",
        msg: "discovery failed",
        error: "listen: address already in use",
      },
    );
  });

  test("an unexpected failure ends the process with a line that names it", async () => {
    const start = `setTimeout(() => { throw new Error("a bug"); }, 1); ${healthy}`;
    const ended = await run(program(start));
    assert.equal(ended.code, 1);
    assert.match(ended.output, /unexpected failure; stopping/);
    assert.match(ended.output, /a bug/);
  });

  test("a bad flag ends the process with 2 before anything starts", async () => {
    const ended = await run(program(`io.log.info("started");`, "--foo"));
    assert.equal(ended.code, 2);
    assert.match(ended.output, /^flag provided but not defined: -foo\n/);
    assert.equal(ended.output.includes("started"), false);
  });
});
