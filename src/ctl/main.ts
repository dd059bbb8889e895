/** `quorate ctl`, also `etcdctl`: the command line client. Loads only what the command needs. */
import { runProgram } from "../cli/run.ts";
import type { CtlContext } from "./context.ts";
import { looseText } from "./input/loose-text.ts";
import { Stdin } from "./input/stdin.ts";
import { ctlProgram } from "./program.ts";

// Not imported: that would also load the promises of node:fs, readline and more at every start.
const { readFileSync, writeSync } = process.getBuiltinModule("node:fs");

/** Runs one command line. @param program what help and errors call the program */
export async function ctlMain(program: string, line: readonly string[]): Promise<void> {
  const words = exactWords(line);
  const stdin = new Stdin();
  const context: CtlContext = {
    program,
    env: process.env,
    words,
    stdin,
    get isTerminal() {
      return process.stdout.isTTY && process.stderr.isTTY;
    },
    interrupted,
  };
  const output = {
    out: (text: string | Uint8Array) => {
      writeAll(1, text);
    },
    err: (text: string) => {
      writeAll(2, text);
    },
  };
  process.exitCode = await runProgram(ctlProgram(program), words, output, context);
  stdin.close();
}

const notText = "\ufffd";

/** Node reads arguments as UTF-8 and drops what is none; Linux still knows their bytes. */
function exactWords(line: readonly string[]): readonly string[] {
  if (!line.some((word) => word.includes(notText))) return line;
  try {
    const all = looseText(readFileSync("/proc/self/cmdline")).split("\0").slice(0, -1);
    return all.slice(all.length - line.length);
  } catch {
    return line;
  }
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      process.off("SIGINT", end);
      process.off("SIGTERM", end);
      resolve();
    };
    process.on("SIGINT", end);
    process.on("SIGTERM", end);
  });
}

/** Waits until the reader has taken it; one that has gone away ends the program. */
function writeAll(file: number, text: string | Uint8Array): void {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(file, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EPIPE") process.exit(141); // as a program that SIGPIPE ended
      if (code !== "EAGAIN") throw error;
    }
  }
}
