import type { Caller, CallStream, Method } from "./caller.ts";
import type { CallOptions } from "./types.ts";

/** Answers read ahead of the reader; the stream pauses at this many. */
const aheadMax = 8;

/**
 * The answers of a server-streaming method, read with back-pressure: when the reader is behind, so
 * is the server. Leaving the loop cancels the stream.
 */
export async function* responses<Request, Response>(
  caller: Caller,
  method: Method<Request, Response>,
  request: Request,
  options?: CallOptions,
): AsyncGenerator<Response, void, undefined> {
  const waiting: Response[] = [];
  let isPaused = false;
  let end: { readonly error: Error | null } | null = null;
  let wake = (): void => undefined;
  const finish = (error: Error | null): void => {
    end = { error };
    wake();
  };
  const stream: CallStream<Request> = caller.open(
    method,
    {
      message(response) {
        waiting.push(response);
        if (waiting.length >= aheadMax && !isPaused) {
          isPaused = true;
          stream.pause();
        }
        wake();
      },
      ended: () => finish(null),
      failed: finish,
    },
    options,
  );
  /** Read through a call, so that no earlier look at it counts. */
  const ending = (): { readonly error: Error | null } | null => end;
  try {
    stream.send(request);
    stream.end();
    for (;;) {
      const next = waiting.shift();
      if (next !== undefined) {
        if (isPaused && waiting.length === 0) {
          isPaused = false;
          stream.resume();
        }
        yield next;
        continue;
      }
      const how = ending();
      if (how?.error != null) throw how.error;
      if (how !== null) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    if (ending() === null) stream.cancel();
  }
}
