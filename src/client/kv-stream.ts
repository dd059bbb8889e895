import { decodeRangeStreamResult } from "../codec/client/kv.ts";
import type { RangeRequest } from "../codec/messages.ts";
import type { Caller, Method } from "./caller.ts";
import { EtcdError, UnimplementedError } from "./errors.ts";
import { InvalidInputError } from "./input.ts";
import { responses } from "./responses.ts";
import type { CallOptions, GetResult, KeyValue } from "./types.ts";

/** Keys in one page, where the server has no streams of ranges or one broke. */
const pageKeysMax = 1_000;

/** What is left to read: shrinks as keys are handed out. */
interface Rest {
  request: RangeRequest;
  /** Keys handed out so far. */
  count: number;
}

/**
 * The keys of a range, as RangeStream sends them; by pages of Range where the server cannot stream
 * it. All are of one revision. A stream that breaks goes on by pages when that is certain to be the
 * same revision: the caller named it, or nothing was handed out yet.
 *
 * @throws InvalidInputError at once for what has no order by key to go on in.
 */
export function streamRange(
  caller: Caller,
  range: Method<RangeRequest, GetResult>,
  request: RangeRequest,
  options?: CallOptions,
): AsyncIterable<KeyValue> {
  if (request.countOnly) throw new InvalidInputError("stream: countOnly has no keys to stream");
  if (request.sortOrder !== 0 || request.sortTarget !== 0) {
    throw new InvalidInputError("stream: only the order of keys can be streamed");
  }
  return readRange(caller, range, request, options);
}

async function* readRange(
  caller: Caller,
  range: Method<RangeRequest, GetResult>,
  request: RangeRequest,
  options: CallOptions | undefined,
): AsyncGenerator<KeyValue, void, undefined> {
  const stream: Method<RangeRequest, GetResult> = {
    ...range,
    path: "/etcdserverpb.KV/RangeStream",
    decode: decodeRangeStreamResult,
  };
  const rest: Rest = { request, count: 0 };
  try {
    for await (const part of responses(caller, stream, request, options)) {
      yield* taken(rest, part.kvs);
    }
    return;
  } catch (error) {
    if (!goesOnByPages(error, rest)) throw error;
  }
  yield* readPages(caller, range, rest, options);
}

function goesOnByPages(error: unknown, { request, count }: Rest): boolean {
  if (error instanceof UnimplementedError) return true;
  if (!(error instanceof EtcdError) || !error.retryable) return false;
  return count === 0 || request.revision !== 0;
}

async function* readPages(
  caller: Caller,
  range: Method<RangeRequest, GetResult>,
  rest: Rest,
  options: CallOptions | undefined,
): AsyncGenerator<KeyValue, void, undefined> {
  const { limit } = rest.request;
  while (limit <= 0 || rest.count < limit) {
    const pageLimit = limit <= 0 ? pageKeysMax : Math.min(limit - rest.count, pageKeysMax);
    const page = await caller.call(range, { ...rest.request, limit: pageLimit }, options);
    if (rest.request.revision === 0) {
      rest.request = { ...rest.request, revision: page.header.revision };
    }
    yield* taken(rest, page.kvs);
    if (!page.more || page.kvs.length === 0) return;
  }
}

function* taken(rest: Rest, kvs: readonly KeyValue[]): Generator<KeyValue, void, undefined> {
  const last = kvs.at(-1);
  if (last === undefined) return;
  rest.count += kvs.length;
  rest.request = { ...rest.request, key: keyAfter(last.key) };
  yield* kvs;
}

/** The lowest key behind `key`. */
function keyAfter(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
