import type { Caller, CallStream, Method, StreamReceiver } from "../../client/caller.ts";
import type { CallOptions } from "../../client/types.ts";

/**
 * A caller that keeps the bytes of the newest answer: requests are made by the client's own areas,
 * answers are printed field by field from what came.
 */
export class Recorder implements Caller {
  readonly #caller: Caller;
  answer: Uint8Array = new Uint8Array(0);

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  get closed(): AbortSignal {
    return this.#caller.closed;
  }

  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options?: CallOptions,
  ): Promise<Response> {
    return this.#caller.call(this.#recording(method), request, options);
  }

  open<Request, Response>(
    method: Method<Request, Response>,
    receiver: StreamReceiver<Response>,
    options?: CallOptions,
  ): CallStream<Request> {
    return this.#caller.open(this.#recording(method), receiver, options);
  }

  at(endpoint: string): Caller {
    return this.#caller.at(endpoint);
  }

  #recording<Request, Response>(method: Method<Request, Response>): Method<Request, Response> {
    return {
      path: method.path,
      retry: method.retry,
      encode: (request) => method.encode(request),
      decode: (bytes) => {
        this.answer = bytes;
        return method.decode(bytes);
      },
    };
  }
}
