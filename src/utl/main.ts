/** `quorate utl`, also `etcdutl`: tools for the files of a member, without a server. */
import { writeSync } from "node:fs";
import { runProgram } from "../cli/run.ts";
import { utlProgram } from "./program.ts";

/** Runs one command line. @param name what help and errors call the program */
export async function utlMain(name: string, line: readonly string[]): Promise<void> {
  const output = {
    out: (text: string | Uint8Array) => writeAll(1, text),
    err: (text: string) => writeAll(2, text),
  };
  process.exitCode = await runProgram(utlProgram(name), line, output, { wallMs: Date.now });
}

/** Waits until the reader has taken it; one that has gone away ends the output. */
function writeAll(file: number, text: string | Uint8Array): void {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(file, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN") continue;
      if (code === "EPIPE") return;
      throw error;
    }
  }
}
