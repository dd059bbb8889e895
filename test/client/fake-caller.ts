// A Caller without a connection: answers are bytes that the test gives, so codecs take part.
import type { Caller, CallStream, Method, StreamReceiver } from "../../src/client/caller.ts";
import type { CallOptions } from "../../src/client/types.ts";

export interface FakeCall {
  readonly path: string;
  readonly request: Uint8Array;
  readonly options: CallOptions | undefined;
  /** "" unless asked through `at`. */
  readonly endpoint: string;
  readonly retry: string;
}

/** Answers one call; throws what the call fails with. */
export type Answer = (call: FakeCall) => Uint8Array | Promise<Uint8Array>;

/** The server's side of one opened stream. */
export class FakeStream {
  readonly call: FakeCall;
  readonly receive: (bytes: Uint8Array) => void;
  readonly finish: (error: Error | null) => void;
  readonly sent: Uint8Array[] = [];
  isEnded = false;
  isCanceled = false;
  isPaused = false;

  constructor(
    call: FakeCall,
    receive: (bytes: Uint8Array) => void,
    finish: (error: Error | null) => void,
  ) {
    this.call = call;
    this.receive = receive;
    this.finish = finish;
  }
}

export class FakeCaller implements Caller {
  readonly calls: FakeCall[] = [];
  readonly streams: FakeStream[] = [];
  readonly #answer: Answer;
  /** Hears of every request sent on a stream. */
  readonly #served: (stream: FakeStream) => void;
  readonly #endpoint: string;
  readonly #parent: FakeCaller;
  readonly closed = new AbortController().signal;

  constructor(
    answer: Answer,
    served: (stream: FakeStream) => void = () => undefined,
    from?: { readonly parent: FakeCaller; readonly endpoint: string },
  ) {
    this.#answer = answer;
    this.#served = served;
    this.#parent = from?.parent ?? this;
    this.#endpoint = from?.endpoint ?? "";
  }

  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options?: CallOptions,
  ): Promise<Response> {
    const call = this.#record(method, method.encode(request), options);
    return method.decode(await this.#answer(call));
  }

  open<Request, Response>(
    method: Method<Request, Response>,
    receiver: StreamReceiver<Response>,
    options?: CallOptions,
  ): CallStream<Request> {
    const fake = new FakeStream(
      this.#record(method, new Uint8Array(0), options),
      (bytes) => receiver.message(method.decode(bytes)),
      (error) => (error === null ? receiver.ended() : receiver.failed(error)),
    );
    this.#parent.streams.push(fake);
    return {
      send: (request) => {
        fake.sent.push(method.encode(request));
        queueMicrotask(() => this.#served(fake));
        return true;
      },
      drained: Promise.resolve(),
      end: () => (fake.isEnded = true),
      cancel: () => (fake.isCanceled = true),
      pause: () => (fake.isPaused = true),
      resume: () => (fake.isPaused = false),
      endpoint: this.#endpoint,
    };
  }

  at(endpoint: string): Caller {
    return new FakeCaller(this.#answer, this.#served, { parent: this.#parent, endpoint });
  }

  #record(
    method: { readonly path: string; readonly retry: string },
    request: Uint8Array,
    options: CallOptions | undefined,
  ): FakeCall {
    const { path, retry } = method;
    const call = { path, request, options, endpoint: this.#endpoint, retry };
    this.#parent.calls.push(call);
    return call;
  }
}
