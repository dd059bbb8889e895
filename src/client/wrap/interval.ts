import { concat } from "../../base/bytes.ts";
import { fromStatus, type EtcdError } from "../errors.ts";
import { errEmptyKey } from "../../base/etcd-errors.ts";
import { intervalOf, prefixEnd, type Interval } from "../input.ts";
import type { Bytes, KeyRange } from "../types.ts";

/** No end, as requests say it. */
function isOpen(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

/** The same keys below a prefix: a range without an end ends with the prefix. */
export function below(prefix: Uint8Array, { key, rangeEnd }: Interval): Interval {
  const start = concat([prefix, key]);
  if (rangeEnd.length === 0) return { key: start, rangeEnd };
  return {
    key: start,
    rangeEnd: isOpen(rangeEnd) ? prefixEnd(prefix) : concat([prefix, rangeEnd]),
  };
}

/** What a request means, as etcd would refuse it without a prefix before the key. */
export function namedInterval(key: Bytes, range: KeyRange | undefined): Interval {
  const interval = intervalOf(key, range);
  if (interval.key.length === 0) throw emptyKey();
  return interval;
}

function emptyKey(): EtcdError {
  return fromStatus(errEmptyKey.code, errEmptyKey.message);
}

/** The option that says where a range ends, if it is one. */
export function rangeOption({ rangeEnd }: Interval): { readonly rangeEnd?: Uint8Array } {
  return rangeEnd.length === 0 ? {} : { rangeEnd };
}

/** Options without what says which keys, which the interval says now. */
export function withoutRange<T extends KeyRange>(options: T): Omit<T, keyof KeyRange> {
  const rest: T & { prefix?: unknown; fromKey?: unknown; rangeEnd?: unknown } = { ...options };
  delete rest.prefix;
  delete rest.fromKey;
  delete rest.rangeEnd;
  return rest;
}
