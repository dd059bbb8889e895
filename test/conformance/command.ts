// Runs a program to its end and hands back what it wrote.
import { spawn } from "node:child_process";

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; -1 when the program was ended by a signal or could not be started. */
  readonly code: number;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly input?: string;
  /** The input stays open behind `input`. */
  readonly isInputOpen?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** The program is ended after this many milliseconds. */
  readonly timeoutMs?: number;
  /** Its output also goes to ours, line by line as it comes. */
  readonly echo?: boolean;
  /** Told of each chunk of standard output, for programs that are ended by what they print. */
  readonly onStdout?: (soFar: string, end: (signal: NodeJS.Signals) => void) => void;
}

const timeoutMsDefault = 60_000;

export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: options.timeoutMs ?? timeoutMsDefault,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      if (options.echo === true) process.stdout.write(chunk);
      options.onStdout?.(stdout, (signal) => child.kill(signal));
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
      if (options.echo === true) process.stderr.write(chunk);
    });
    child.on("error", (error) => {
      resolve({ stdout, stderr: stderr + error.message, code: -1 });
    });
    child.on("close", (code) => {
      resolve({ stdout, stderr, code: code ?? -1 });
    });
    // A program that does not read its input closes the pipe: nothing is lost by that.
    child.stdin.on("error", () => undefined);
    if (options.isInputOpen === true) child.stdin.write(options.input ?? "");
    else child.stdin.end(options.input ?? "");
  });
}

/** Whether a program answers to `--version` or `version` or the like. */
export async function hasCommand(program: string, ...args: string[]): Promise<boolean> {
  const result = await runCommand(program, args, { timeoutMs: 20_000 });
  return result.code === 0;
}
