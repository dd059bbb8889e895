import type { CommandSpec } from "../../cli/command.ts";
import { Command, findCommand } from "../../cli/command.ts";
import type { FlagSet } from "../../cli/flag.ts";
import { FlagError } from "../../cli/flag.ts";
import { ExitError, exitCode } from "../../cli/run.ts";
import { usageText } from "../../cli/usage.ts";
import { KvArea } from "../../client/kv.ts";
import type { Compare, Op } from "../../client/types.ts";
import type { CtlCall } from "../commands/spec.ts";
import { parseComparison } from "../input/comparison.ts";
import { splitWords } from "../input/words.ts";
import { showTxn } from "../print/kv.ts";
import { askCaller, openSession } from "../session.ts";
import { txnResponse } from "../wire/schemas.ts";
import { deleteOperation } from "./del.ts";
import { badUse, getOperation } from "./get.ts";
import { putOperation } from "./put.ts";

export async function runTxn(call: CtlCall): Promise<void> {
  if (call.args.length !== 0) throw badUse("txn command does not accept argument");
  const session = await openSession(call);
  const say = (text: string): void => {
    if (call.flags.bool("interactive")) session.print(`${text}\n`);
  };
  const response = await session.run(async ({ caller }) => {
    say("compares:");
    const compares: Compare[] = [];
    for await (const line of lines(call)) compares.push(parseComparison(line));
    say("success requests (get, put, del):");
    const success = await readOperations(call);
    say("failure requests (get, put, del):");
    const failure = await readOperations(call);
    return askCaller(caller, txnResponse, (recorder) =>
      new KvArea(recorder).do({ kind: "txn", compares, success, failure }, session.patient),
    );
  });
  session.show(showTxn(response));
}

/** Lines up to an empty one. @throws ExitError when input ends before it. */
async function* lines({ context }: CtlCall): AsyncGenerator<string, void> {
  for (;;) {
    const line = await context.stdin.line();
    if (!line.endsWith("\n")) throw new ExitError(exitCode.invalidInput, "EOF");
    const text = line.trim();
    if (text === "") return;
    yield text;
  }
}

async function readOperations(call: CtlCall): Promise<Op[]> {
  const operations: Op[] = [];
  for await (const line of lines(call)) operations.push(await parseOperation(line, call));
  return operations;
}

/** One request as it stands in a transaction: `put key value` and the like. */
async function parseOperation(line: string, call: CtlCall): Promise<Op> {
  const words = splitWords(line);
  if (words.length < 2) throw invalid(`invalid txn compare request: ${line}`);
  const found = findCommand(operationsRoot(call), words);
  const { command } = found;
  if (found.error !== undefined || command.parent === undefined) {
    throw invalid(`invalid txn request: ${line}`);
  }
  const flags = command.flagSet();
  let args: readonly string[];
  try {
    ({ args } = flags.parse(found.line));
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    call.output.err(`${usageText(command)}\n`);
    throw invalid(`invalid txn request: ${line}`);
  }
  return makeOperation(command.name, flags, args, call);
}

async function makeOperation(
  name: string,
  flags: FlagSet,
  args: readonly string[],
  { output }: CtlCall,
): Promise<Op> {
  if (name === "get") return getOperation(flags, args);
  if (name === "del") return deleteOperation(flags, args, output.err);
  // What is behind the line belongs to the transaction, not to the value.
  return putOperation(flags, args, () => Promise.resolve(new Uint8Array(0)));
}

/** A program without a name whose commands are the requests. */
function operationsRoot({ command }: CtlCall): Command<unknown> {
  const names = ["get", "put", "del"];
  const commands = command.root.children
    .filter(({ name }) => names.includes(name))
    .map(({ spec: { use, short, flags = [] } }): CommandSpec<unknown> => {
      return { use, short, flags, run: idle };
    });
  return new Command({ name: "", use: "", short: "", commands });
}

function idle(): void {}

function invalid(message: string): ExitError {
  return new ExitError(exitCode.invalidInput, message);
}
