/** Runs a program: one command line in, output and an exit code out, as cobra and etcd's tools do. */
import { must } from "../base/assert.ts";
import type { CliOutput, ProgramSpec } from "./command.ts";
import { Command, completionRequests, findCommand, suggestions } from "./command.ts";
import type { FlagSet } from "./flag.ts";
import { FlagError } from "./flag.ts";
import { goQuote, goRawQuote } from "./go-quote.ts";

/** Codes that etcd's tools exit with. */
export const exitCode = {
  success: 0,
  error: 1,
  badConnection: 2,
  invalidInput: 3,
  badFeature: 4,
  interrupted: 5,
  io: 6,
  badArgs: 128,
} as const;

/** Ends the program: `Error: <message>` on stderr (nothing if it is empty), and the code. */
export class ExitError extends Error {
  override readonly name = "ExitError";
  readonly code: number;
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Reads one command line and runs it; help is loaded when it is asked for. Returns the exit code. */
export async function runProgram<Context>(
  program: ProgramSpec<Context>,
  line: readonly string[],
  output: CliOutput,
  context: Context,
): Promise<number> {
  const root = new Command(program.root);
  const isCompletion = completionRequests.includes(line[0] ?? "") && line.length > 1;
  if (isCompletion) {
    const { answerCompletion } = await import("./complete.ts");
    answerCompletion(root, line, output);
    return exitCode.success;
  }
  const found = findCommand(root, line);
  if (found.error !== undefined) {
    output.err(`Error: ${found.error}\nRun '${found.command.path} --help' for usage.\n`);
    return unreadable(program, found.error, output);
  }
  const { command } = found;
  const flags = command.flagSet();
  try {
    const { args, argsBeforeDash } = flags.parse(found.line);
    if (flags.bool("help") || !command.isRunnable) {
      const { helpText } = await import("./usage.ts");
      output.out(helpText(program, command));
      return exitCode.success;
    }
    checkArgs(command, args);
    checkRequired(flags);
    if (command.isHelp) return await showHelp(program, root, args, output);
    const { run } = command.spec;
    await must(run, "run")({ context, output, command, flags, args, argsBeforeDash });
    return exitCode.success;
  } catch (error) {
    if (error instanceof ExitError) {
      if (error.message !== "") output.err(`Error: ${error.message}\n`);
      return error.code;
    }
    if (!(error instanceof FlagError)) throw error;
    const { usageText } = await import("./usage.ts");
    output.err(`Error: ${error.message}\n${usageText(command)}\n`);
    return unreadable(program, error.message, output);
  }
}

function unreadable<Context>(
  program: ProgramSpec<Context>,
  error: string,
  output: CliOutput,
): number {
  if (program.isErrorRepeated === true) output.err(`Error: ${error}\n`);
  return exitCode.error;
}

function checkArgs<Context>(command: Command<Context>, args: readonly string[]): void {
  const { min = 0, max = Infinity, isOnlyValid = false } = command.spec.args ?? {};
  const count = args.length;
  if (count < min || count > max) throw new FlagError(argsError(min, max, count));
  if (!isOnlyValid) return;
  const stray = args.find((arg) => !(command.spec.validArgs ?? []).includes(arg));
  if (stray === undefined) return;
  const error = `invalid argument ${goQuote(stray)} for ${goQuote(command.path)}`;
  throw new FlagError(error + suggestions(command, args[0]!));
}

function argsError(min: number, max: number, count: number): string {
  if (min === max) return `accepts ${min} arg(s), received ${count}`;
  if (max === Infinity) return `requires at least ${min} arg(s), only received ${count}`;
  if (min === 0) return `accepts at most ${max} arg(s), received ${count}`;
  return `accepts between ${min} and ${max} arg(s), received ${count}`;
}

function checkRequired(flags: FlagSet): void {
  const missing = flags
    .specs()
    .filter((spec) => spec.isRequired === true && !flags.isChanged(spec.name))
    .map((spec) => spec.name);
  if (missing.length === 0) return;
  throw new FlagError(`required flag(s) "${missing.join('", "')}" not set`);
}

async function showHelp<Context>(
  program: ProgramSpec<Context>,
  root: Command<Context>,
  topic: readonly string[],
  output: CliOutput,
): Promise<number> {
  const { helpText, usageText } = await import("./usage.ts");
  const found = findCommand(root, topic);
  if (found.error === undefined) {
    output.out(helpText(program, found.command));
    return exitCode.success;
  }
  const words = topic.map(goRawQuote).join(" ");
  output.err(`Unknown help topic [${words}]\n${usageText(root, true)}`);
  return exitCode.success;
}
