// A client's door and clock that do what a test says: messages are values, time is moved by hand.
import type { CallStream, Caller, Method, StreamReceiver } from "../../src/client/caller.ts";
import type { ClientClock } from "../../src/client/clock.ts";
import type { CallOptions } from "../../src/client/types.ts";

/** One opened stream: what was sent, and a server's part to play. */
export class ScriptedStream<Request, Response> implements CallStream<Request> {
  readonly path: string;
  readonly options: CallOptions;
  readonly receiver: StreamReceiver<Response>;
  readonly sent: Request[] = [];
  readonly drained = Promise.resolve();
  readonly endpoint = "fake:1";
  isHalfClosed = false;
  isCanceled = false;
  isPaused = false;

  constructor(path: string, receiver: StreamReceiver<Response>, options: CallOptions) {
    this.path = path;
    this.receiver = receiver;
    this.options = options;
  }

  send(request: Request): boolean {
    this.sent.push(request);
    return true;
  }

  end(): void {
    this.isHalfClosed = true;
  }

  cancel(): void {
    this.isCanceled = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** As the server: a canceled stream hears nothing more. */
  answer(response: Response): void {
    if (!this.isCanceled) this.receiver.message(response);
  }

  fail(error: Error): void {
    if (!this.isCanceled) this.receiver.failed(error);
  }
}

export class ScriptedCaller implements Caller {
  readonly #closed = new AbortController();
  readonly closed = this.#closed.signal;
  readonly streams: ScriptedStream<never, never>[] = [];
  readonly calls: { path: string; request: unknown; options: CallOptions | undefined }[] = [];
  refusedTokens = 0;
  /** Answers the calls of a path. */
  readonly answers = new Map<string, (request: unknown) => unknown>();

  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options?: CallOptions,
  ): Promise<Response> {
    this.calls.push({ path: method.path, request, options });
    const answer = this.answers.get(method.path);
    if (answer === undefined) throw new Error(`no answer for ${method.path}`);
    return new Promise((resolve) => {
      resolve(answer(request) as Response);
    });
  }

  open<Request, Response>(
    method: Method<Request, Response>,
    receiver: StreamReceiver<Response>,
    options: CallOptions = {},
  ): CallStream<Request> {
    const stream = new ScriptedStream<Request, Response>(method.path, receiver, options);
    this.streams.push(stream as unknown as ScriptedStream<never, never>);
    return stream;
  }

  at(): Caller {
    return this;
  }

  tokenRefused(): void {
    this.refusedTokens++;
  }

  /** The stream opened last, its types as the test knows them. */
  stream<Request, Response>(index = this.streams.length - 1): ScriptedStream<Request, Response> {
    const stream = this.streams[index];
    if (stream === undefined) throw new Error(`no stream ${index}`);
    return stream;
  }

  close(): void {
    this.#closed.abort();
  }
}

export class HandClock implements ClientClock {
  #now = 0;
  readonly #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const timer = { at: this.#now + delayMs, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        const at = this.#timers.indexOf(timer);
        if (at !== -1) this.#timers.splice(at, 1);
      },
    };
  }

  /** Timers that still keep a process alive. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Runs what is due until then, in order. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > until) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = until;
  }
}
