/** Conditions of transactions, and their form in requests. */
import { emptyBytes } from "../base/bytes.ts";
import type * as message from "../codec/messages.ts";
import { InvalidInputError, intervalOf, toBytes, toInt, toLeaseId } from "./input.ts";
import type { Bytes, Compare, CompareResult, KeyRange } from "./types.ts";

type Target = Compare["target"];

/** A quantity of a key, waiting for what it is compared with. */
class CompareDraft<Operand extends number | bigint | Bytes> {
  readonly #target: Target;
  readonly #key: Bytes;
  readonly #range: KeyRange | undefined;

  constructor(target: Target, key: Bytes, range: KeyRange | undefined) {
    this.#target = target;
    this.#key = key;
    this.#range = range;
  }

  equals(operand: Operand): Compare {
    return this.#with("=", operand);
  }

  notEquals(operand: Operand): Compare {
    return this.#with("!=", operand);
  }

  lessThan(operand: Operand): Compare {
    return this.#with("<", operand);
  }

  greaterThan(operand: Operand): Compare {
    return this.#with(">", operand);
  }

  #with(result: CompareResult, operand: Operand): Compare {
    const key = this.#key;
    const all: Compare = { target: this.#target, result, key, operand };
    return this.#range === undefined ? all : { ...all, range: this.#range };
  }
}

function version(key: Bytes, range?: KeyRange): CompareDraft<number> {
  return new CompareDraft("version", key, range);
}

/**
 * `compare.version("k").equals(0)`. A missing key has version, revisions and lease 0; a compare of
 * its value never holds. With a range every key in it must fulfil the condition.
 */
export const compare = {
  version,
  create: (key: Bytes, range?: KeyRange) => new CompareDraft<number>("create", key, range),
  mod: (key: Bytes, range?: KeyRange) => new CompareDraft<number>("mod", key, range),
  value: (key: Bytes, range?: KeyRange) => new CompareDraft<Bytes>("value", key, range),
  lease: (key: Bytes, range?: KeyRange) => new CompareDraft<bigint>("lease", key, range),
  exists: (key: Bytes): Compare => version(key).greaterThan(0),
  missing: (key: Bytes): Compare => version(key).equals(0),
} as const;

const resultNumber = { "=": 0, ">": 1, "<": 2, "!=": 3 } as const;
const targetNumber = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const;

/** Field numbers of Compare's union begin here, in the order of the targets. */
const unionBase = 4;

export function toCompareMessage(from: Compare): message.Compare {
  const { operand } = from;
  const target = targetNumber[from.target];
  const to: message.Compare = {
    result: resultNumber[from.result],
    target,
    ...intervalOf(from.key, from.range),
    union: unionBase + target,
    number: 0,
    value: emptyBytes,
    lease: 0n,
  };
  if (from.target === "lease") {
    if (typeof operand !== "bigint") throw misfit(from);
    to.lease = toLeaseId(operand);
  } else if (from.target === "value") {
    if (typeof operand === "number" || typeof operand === "bigint") throw misfit(from);
    to.value = toBytes(operand, "value");
  } else {
    if (typeof operand !== "number") throw misfit(from);
    to.number = toInt(operand, from.target);
  }
  return to;
}

function misfit({ target, operand }: Compare): InvalidInputError {
  return new InvalidInputError(`a ${target} cannot be compared with a ${typeof operand}`);
}
