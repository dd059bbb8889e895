/** Commands that `watch`, `lock` run: their output is ours, their input is empty. */
import { spawn } from "node:child_process";
import { goQuote } from "../../cli/go-quote.ts";
import { errorText } from "../../cli/system-error.ts";

export interface ChildEnd {
  /** What went wrong, in Go's words; `undefined`: it ended with 0. */
  readonly problem?: string;
  /** Its exit code; -1 when it could not start or a signal ended it. */
  readonly code: number;
}

/** `pairs`: added to the environment. */
export function runChild(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<ChildEnd> {
  const [program = "", ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", (error) => {
      resolve({ problem: startProblem(program, error), code: -1 });
    });
    child.on("exit", (code, signal) => {
      if (code === 0) resolve({ code });
      else if (code !== null) resolve({ problem: `exit status ${code}`, code });
      else resolve({ problem: `signal: ${signalTexts[signal ?? ""] ?? signal ?? ""}`, code: -1 });
    });
  });
}

function startProblem(program: string, error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" && !program.includes("/")) {
    return `exec: ${goQuote(program)}: executable file not found in $PATH`;
  }
  return errorText(Object.assign(error, { syscall: "fork/exec", path: program }));
}

const signalTexts: Readonly<Record<string, string>> = {
  SIGHUP: "hangup",
  SIGINT: "interrupt",
  SIGQUIT: "quit",
  SIGABRT: "aborted",
  SIGKILL: "killed",
  SIGSEGV: "segmentation fault",
  SIGPIPE: "broken pipe",
  SIGTERM: "terminated",
};
