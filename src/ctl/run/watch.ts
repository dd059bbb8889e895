import { FlagError, FlagSet } from "../../cli/flag.ts";
import { goQuote } from "../../cli/go-quote.ts";
import { ExitError, exitCode } from "../../cli/run.ts";
import type { Caller } from "../../client/caller.ts";
import { EtcdError } from "../../client/errors.ts";
import type { WatchBatch } from "../../client/types.ts";
import { WatchArea } from "../../client/watch/watch-area.ts";
import type { CtlCall } from "../commands/spec.ts";
import { goErrorText } from "../go-error.ts";
import { looseBytes } from "../input/loose-text.ts";
import { splitWords } from "../input/words.ts";
import { toGoJson } from "../print/go-json.ts";
import type { WatchAnswer } from "../print/kv.ts";
import { eventEnvironment, showWatch } from "../print/kv.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import { eventMessage, headerMessage } from "../wire/from-client.ts";
import { decodeMessage } from "../wire/message.ts";
import { Recorder } from "../wire/recorder.ts";
import type { WatchResponse } from "../wire/schemas.ts";
import { responseHeader, watchResponse } from "../wire/schemas.ts";
import { runChild } from "./child.ts";
import { eventJson } from "./event-json.ts";
import { badUse } from "./get.ts";
import type { WatchEnvironment, WatchRequest, WatchWords } from "./watch-words.ts";
import { readWatchEnvironment, watchRequest, watchWords, WatchWordsError } from "./watch-words.ts";

export async function runWatch(call: CtlCall): Promise<void> {
  const env = readWatchEnvironment(call.context.env);
  if (call.flags.bool("interactive")) {
    await watchTyped(call, env);
    return;
  }
  const { request, command } = orBadUse(() => {
    const words = watchWords(call, env);
    return { request: watchRequest(call.flags, words.keys), command: words.command };
  });
  const session = await openSession(call);
  await session.run(({ caller }) => printWatch(session, caller, request, command));
  throw new ExitError(exitCode.interrupted, "watch is canceled by the server");
}

function orBadUse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof WatchWordsError || error instanceof FlagError) throw badUse(error.message);
    throw error;
  }
}

/** Prints what the watch brings until it ends; how it ended is printed too. */
async function printWatch(
  session: Session,
  caller: Caller,
  { key, options }: WatchRequest,
  command: readonly string[],
): Promise<void> {
  const recorder = new Recorder(caller);
  const watcher = new WatchArea(recorder).watch(key, options);
  try {
    for await (const batch of watcher) await printBatch(session, batch, command);
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    const last = decodeMessage(watchResponse, recorder.answer);
    session.call.output.err(`watch was canceled (${reasonOf(error, last)})\n`);
    printAnswer(session, {
      header: (last.canceled ? last.header : null) ?? responseHeader.empty(),
      events: [],
      compactRevision: last.canceled ? last.compact_revision : 0n,
      isCanceled: true,
      cancelReason: "",
    });
  }
}

/** What ended the stream, or stands with its gRPC code in the answer, is told with that. */
function reasonOf(error: EtcdError, last: WatchResponse): string {
  if (last.cancel_reason.startsWith("rpc error: ")) return last.cancel_reason;
  return goErrorText(error, !last.canceled);
}

async function printBatch(
  session: Session,
  batch: WatchBatch,
  command: readonly string[],
): Promise<void> {
  const header = headerMessage(batch.header);
  const events = batch.events.map(eventMessage);
  if (batch.isProgress) {
    const isJson = session.call.flags.bool("follow-json");
    const { revision } = header;
    session.print(
      isJson ? `${toGoJson({ type: "PROGRESS", revision })}\n` : `progress notify: ${revision}\n`,
    );
  }
  printAnswer(session, {
    header,
    events,
    compactRevision: 0n,
    isCanceled: false,
    cancelReason: "",
  });
  if (command.length === 0) return;
  for (const event of events) {
    const pairs = Object.fromEntries(eventEnvironment(header, event)) as Record<string, string>;
    const { problem } = await runChild(command, { ...session.call.context.env, ...pairs });
    if (problem === undefined) continue;
    const shown = command.map((word) => goQuote(looseBytes(word))).join(" ");
    session.call.output.err(`command [${shown}] error (${problem})\n`);
    throw new ExitError(exitCode.error, "");
  }
}

function printAnswer(session: Session, answer: WatchAnswer): void {
  if (!session.call.flags.bool("follow-json")) {
    session.show(showWatch(answer));
    return;
  }
  for (const event of answer.events) session.print(`${toGoJson(eventJson(event))}\n`);
}

/** Watches as they are typed: `watch [options] key [range_end]`, and `progress`. */
async function watchTyped(call: CtlCall, env: WatchEnvironment): Promise<void> {
  const session = await openSession(call);
  await session.run(async ({ caller }) => {
    const area = new WatchArea(caller);
    const failed = Promise.withResolvers<never>();
    for (;;) {
      const line = await Promise.race([call.context.stdin.line(), failed.promise]);
      if (!line.endsWith("\n")) {
        throw new ExitError(exitCode.invalidInput, "error reading watch request line: EOF");
      }
      const typed = typedWatch(call, line.slice(0, -1), env);
      if (typed === "progress") await area.requestProgress({ requireLeader: true });
      else if (typed !== "refused") {
        printWatch(session, caller, typed.request, typed.command).catch(failed.reject);
      }
    }
  });
}

interface TypedWatch {
  readonly request: WatchRequest;
  readonly command: WatchWords["command"];
}

/** What a line asks for; one that is refused was answered. @throws ExitError */
function typedWatch(
  { command, output }: CtlCall,
  line: string,
  env: WatchEnvironment,
): TypedWatch | "progress" | "refused" {
  const [word, ...rest] = splitWords(line);
  const refuse = (text: string): "refused" => {
    output.err(`Invalid command${text}\n`);
    return "refused";
  };
  if (word === undefined) return refuse(`: ${line} (watch and progress supported)`);
  if (word === "progress") return word;
  if (word !== "watch") return refuse(` ${line} (only support watch)`);
  if (rest.length === 0 && env.key === "") {
    return refuse(` ${line} (command type or key is not provided)`);
  }
  const flags = new FlagSet(command.localFlags(true));
  const words = orBadUse(() => watchWords(flags.parse(rest), env));
  try {
    return { request: watchRequest(flags, words.keys), command: words.command };
  } catch (error) {
    if (!(error instanceof WatchWordsError)) throw error;
    return refuse(` ${line} (${error.message})`);
  }
}
