import { assert } from "../../base/assert.ts";
import { utf8 } from "../../base/bytes.ts";
import type { Transaction } from "lmdb";
import type { Bucket, View } from "./backend.ts";
import { firstKey, windowOn } from "./lmdb-env.ts";
import type { LmdbEnv } from "./lmdb-env.ts";
import { lmdbLimits } from "./lmdb-limits.ts";

const keyConsistentIndex = utf8("consistent_index");

let pool = new Uint8Array(0);
let poolUsed = 0;

/** Small copies share a block: a block of its own costs more than the rest of a read. */
function copyOf(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (length > lmdbLimits.pooledBytesMax) return bytes.slice();
  if (length > pool.length - poolUsed) {
    pool = new Uint8Array(lmdbLimits.poolBytes);
    poolUsed = 0;
  }
  const copy = new Uint8Array(pool.buffer, poolUsed, length);
  copy.set(bytes);
  poolUsed += length;
  return copy;
}

/** 0 for a row that is not there. */
function readIndex(row: Uint8Array | null): number {
  if (row === null) return 0;
  return Number(new DataView(row.buffer, row.byteOffset, row.length).getBigUint64(0));
}

/**
 * A read transaction of LMDB. While it is open no page it can see is reused, so a view held for
 * long makes the file grow by all that is rewritten meanwhile: hold views briefly, or with a
 * deadline.
 */
export class LmdbView implements View {
  readonly consistentIndex: number;
  readonly #env: LmdbEnv;
  readonly #transaction: Transaction;
  /** Passed to every read; one object for all. */
  readonly #options: { readonly transaction: Transaction };
  readonly #closed: () => void;
  #isOpen = true;

  constructor(env: LmdbEnv, closed: () => void) {
    this.#env = env;
    this.#closed = closed;
    // Without this the library would hand out the read transaction it opened earlier in this turn.
    env.root.resetReadTxn();
    this.#transaction = env.root.useReadTransaction();
    this.#options = { transaction: this.#transaction };
    this.consistentIndex = readIndex(this.get("meta", keyConsistentIndex));
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | null {
    assert(this.#isOpen, "read of a closed view");
    if (key.length === 0 || key.length > lmdbLimits.keyBytesMax) return null;
    const database = this.#env.databases[bucket];
    const bytes = database.getBinaryFast(key, this.#options);
    if (bytes === undefined) return null;
    return copyOf(windowOn(bytes, bytes.length));
  }

  range(
    bucket: Bucket,
    from: Uint8Array,
    to: Uint8Array | null,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
  ): void {
    assert(this.#isOpen, "read of a closed view");
    assert(from.length <= lmdbLimits.keyBytesMax, "range start longer than any key");
    if (to !== null && to.length === 0) return;
    const range = this.#env.databases[bucket].getRange({
      start: from.length === 0 ? firstKey : from,
      ...(to === null ? {} : { end: to }),
      transaction: this.#transaction,
    });
    for (const { key, value } of range) if (!visit(key, value)) return;
  }

  close(): void {
    assert(this.#isOpen, "view closed twice");
    this.#isOpen = false;
    this.#transaction.done();
    this.#closed();
  }
}
