/**
 * One command's way to the cluster: flags and environment become a connection and a style of
 * printing; answers are printed, failures end the program with etcdctl's text and code.
 */
import { ExitError, exitCode } from "../cli/run.ts";
import type { Caller } from "../client/caller.ts";
import type { Connection } from "../client/connection.ts";
import type { CallOptions } from "../client/types.ts";
import type { CtlCall } from "./commands/spec.ts";
import { readEnvironment, variableOf } from "./flags-from-env.ts";
import { connectionCause, goErrorText } from "./go-error.ts";
import { logLine } from "./log.ts";
import type { Shown, Style } from "./print/shown.ts";
import { parseFormat, render } from "./print/shown.ts";
import { QuickCaller, quickTarget } from "./quick-caller.ts";
import type { Settings } from "./settings.ts";
import { clientOptions, readSettings } from "./settings.ts";
import type { Schema } from "./wire/message.ts";
import { decodeMessage } from "./wire/message.ts";
import { Recorder } from "./wire/recorder.ts";

/** How a failed command ends: with which code, and what comes before the reason. */
export interface Ending {
  readonly code?: number;
  /** etcd's own errors too are told with their gRPC code. */
  readonly isRaw?: boolean;
  /** Text around the reason. */
  readonly wrap?: (reason: string) => string;
}

/** Flags and environment, read; nothing is connected yet. */
export class Session {
  readonly call: CtlCall;
  readonly settings: Settings;
  style: Style;

  constructor(call: CtlCall, settings: Settings, style: Style) {
    this.call = call;
    this.settings = settings;
    this.style = style;
  }

  /** For short commands: `--command-timeout`. */
  get short(): CallOptions {
    return { timeoutMs: Math.max(this.call.flags.durationMs("command-timeout"), 1) };
  }

  /** For commands that wait as long as it takes. */
  get patient(): CallOptions {
    return { timeoutMs: Infinity };
  }

  /** Prints a result. */
  show(shown: Shown): void {
    this.call.output.out(render(shown, this.style));
  }

  print(text: string): void {
    this.call.output.out(text);
  }

  /** Connects, runs, closes. What the client fails with becomes an {@link ExitError}. */
  async run<T>(
    use: (connection: Connection) => Promise<T>,
    ending: Ending = {},
    settings: Settings = this.settings,
  ): Promise<T> {
    const connection = await openConnection(settings);
    try {
      if (settings.login.username !== undefined) await this.#signIn(connection);
      return await use(connection);
    } catch (error) {
      throw this.failure(error, ending);
    } finally {
      connection.close();
    }
  }

  /** One request, no stream, whose answer is wanted whole. */
  ask<T>(
    answer: Schema<T>,
    send: (caller: Caller) => Promise<unknown>,
    ending: Ending = {},
    settings: Settings = this.settings,
  ): Promise<T> {
    return this.send((caller) => askCaller(caller, answer, send), ending, settings);
  }

  /** Calls without streams; over a quick call where that will do. */
  async send<T>(
    use: (caller: Caller) => Promise<T>,
    ending: Ending = {},
    settings: Settings = this.settings,
  ): Promise<T> {
    const target = quickTarget(settings);
    if (target === undefined) return this.run(({ caller }) => use(caller), ending, settings);
    const caller = new QuickCaller(target, () => openConnection(settings));
    try {
      return await use(caller);
    } catch (error) {
      throw this.failure(error, ending);
    } finally {
      caller.close();
    }
  }

  /** The end of the program after a failure; says why a connection failed, as a line of log. */
  failure(error: unknown, ending: Ending): ExitError {
    const { code = exitCode.error, isRaw = false, wrap = (reason: string) => reason } = ending;
    if (error instanceof ExitError) return error;
    this.warnOf(error);
    return new ExitError(code, wrap(goErrorText(error, isRaw)), { cause: error });
  }

  warnOf(error: unknown): void {
    const cause = connectionCause(error);
    if (cause === undefined) return;
    this.call.output.err(logLine("warn", "no answer from the endpoints", { error: cause }));
  }

  async #signIn(connection: Connection): Promise<void> {
    try {
      await connection.signIn();
    } catch (error) {
      throw this.failure(error, { code: exitCode.badConnection });
    }
  }
}

/** Loads the client's connections, which a quick call does without. */
async function openConnection(settings: Settings): Promise<Connection> {
  const options = clientOptions(settings);
  const { connect } = await import("./connect.ts");
  return connect(options);
}

/** Sends by one of the client's areas and decodes what came back. */
export async function askCaller<T>(
  caller: Caller,
  answer: Schema<T>,
  send: (caller: Caller) => Promise<unknown>,
): Promise<T> {
  const recorder = new Recorder(caller);
  await send(recorder);
  return decodeMessage(answer, recorder.answer);
}

/** @throws ExitError */
export async function openSession(call: CtlCall): Promise<Session> {
  readEnvironment(call);
  const { flags, output, command } = call;
  if (flags.bool("debug")) {
    for (const { name } of command.inheritedFlags()) {
      output.err(`${variableOf(name)}=${flags.text(name)}\n`);
    }
  }
  const settings = await readSettings(call);
  const format = parseFormat(flags.string("write-out"));
  return new Session(call, settings, { format, isHex: flags.bool("hex") });
}

/** One request, one answer, printed: most commands. */
export async function askAndShow<T>(
  call: CtlCall,
  answer: Schema<T>,
  request: {
    readonly send: (caller: Caller, session: Session) => Promise<unknown>;
    readonly show: (response: T) => Shown;
    readonly ending?: Ending;
  },
): Promise<void> {
  const session = await openSession(call);
  const send = (caller: Caller): Promise<unknown> => request.send(caller, session);
  const response = await session.ask(answer, send, request.ending);
  session.show(request.show(response));
}
