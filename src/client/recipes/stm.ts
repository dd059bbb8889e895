/**
 * Software transactional memory: a function reads and writes keys, and its writes are committed
 * together if nothing it depends on changed meanwhile; else it runs again.
 *
 * ST1  What the function wrote is sent in one transaction whose compares are the conflicts of the
 *      isolation level: all of it happens, or nothing.
 * ST2  With "serializable" and above all reads of one attempt are of one revision.
 * ST3  A key reads as the attempt wrote it.
 */
import { grpcCode } from "../../base/grpc-code.ts";
import { toBinaryString } from "../../base/bytes.ts";
import { compare } from "../compare.ts";
import { CompactedError, EtcdError } from "../errors.ts";
import { toBytes } from "../input.ts";
import { op } from "../op.ts";
import type {
  Bytes,
  Compare,
  DeleteOp,
  GetResult,
  Header,
  KeyValue,
  Kv,
  PutOp,
  PutOptions,
} from "../types.ts";

/**
 * - "serializableSnapshot": reads of one revision, and neither they nor the keys written changed.
 * - "serializable": reads of one revision that did not change.
 * - "repeatableReads": a key reads the same in one attempt, and what was read did not change.
 * - "readCommitted": reads what is committed; nothing is checked.
 */
export type Isolation =
  "serializableSnapshot" | "serializable" | "repeatableReads" | "readCommitted";

export interface StmOptions {
  /** Default: "serializableSnapshot". */
  readonly isolation?: Isolation;
  /** Read together before the first attempt. */
  readonly prefetch?: readonly Bytes[];
  readonly signal?: AbortSignal;
  /** Attempts until StmConflictError. Default: 1,000. */
  readonly attemptsMax?: number;
}

export interface StmResult<T> {
  /** What the function returned in the attempt that was committed. */
  readonly result: T;
  readonly header: Header;
  readonly attempts: number;
}

/** Others were faster in every attempt. */
export class StmConflictError extends EtcdError {
  constructor(attempts: number) {
    super(grpcCode.aborted, `The transaction met a conflict in each of ${attempts} attempts`);
  }

  override get retryable(): boolean {
    return true;
  }
}

const attemptsDefault = 1_000;

interface Read {
  readonly key: Uint8Array;
  readonly kv: KeyValue | null;
  readonly revision: number;
}

interface Write {
  readonly op: PutOp | DeleteOp;
  readonly value: Uint8Array | null;
}

/** What one attempt reads and writes. */
export class StmTransaction {
  readonly #kv: Kv;
  readonly #isolation: Isolation;
  readonly #signal: { readonly signal?: AbortSignal };
  readonly #reads = new Map<string, Read>();
  readonly #writes = new Map<string, Write>();
  /** Read ahead, not yet asked for; they are of `#base`. */
  readonly #ahead: Map<string, Read>;
  /** Revision of all reads (ST2); 0 until the first, and always with the lower levels. */
  #base: number;

  constructor(kv: Kv, isolation: Isolation, signal: AbortSignal | undefined, ahead: Ahead) {
    this.#kv = kv;
    this.#isolation = isolation;
    this.#signal = signal === undefined ? {} : { signal };
    this.#ahead = ahead.reads;
    this.#base = isSnapshot(isolation) ? ahead.revision : 0;
  }

  /** The value of a key as UTF-8 text, null if there is none. */
  async get(key: Bytes): Promise<string | null> {
    const bytes = await this.getBytes(key);
    return bytes === null ? null : new TextDecoder().decode(bytes);
  }

  async getBytes(key: Bytes): Promise<Uint8Array | null> {
    const written = this.#writes.get(nameOf(key)); // ST3
    if (written !== undefined) return written.value;
    const { kv } = await this.#read(key);
    return kv === null ? null : kv.value;
  }

  /** The modification revision of a key as it was read, 0 if there is none. */
  async revision(key: Bytes): Promise<number> {
    const { kv } = await this.#read(key);
    return kv?.modRevision ?? 0;
  }

  put(key: Bytes, value: Bytes, options: Pick<PutOptions, "lease"> = {}): void {
    const bytes = toBytes(value, "value");
    this.#writes.set(nameOf(key), { op: op.put(key, bytes, options), value: bytes });
  }

  delete(key: Bytes): void {
    this.#writes.set(nameOf(key), { op: op.delete(key), value: null });
  }

  async #read(key: Bytes): Promise<Read> {
    const name = nameOf(key);
    const known = this.#reads.get(name) ?? this.#ahead.get(name);
    if (known !== undefined) {
      this.#reads.set(name, known);
      return known;
    }
    const got = await this.#kv.get(key, { revision: this.#base, ...this.#signal });
    if (this.#base === 0 && isSnapshot(this.#isolation)) this.#base = got.header.revision;
    const read = readOf(toBytes(key, "key"), got, this.#base);
    this.#reads.set(name, read);
    return read;
  }

  /** Null after a conflict; then `ahead` has what was read, as it is now. */
  async commit(): Promise<{ header: Header } | { ahead: Ahead }> {
    const reads = [...this.#reads.values()];
    const writes = [...this.#writes.values()].map((write) => write.op);
    const committed = await this.#kv
      .txn()
      .if(...this.#conflicts(reads))
      .then(...writes)
      .else(...reads.map(({ key }) => op.get(key)))
      .commit(this.#signal);
    const { header } = committed;
    if (committed.succeeded) return { header };
    const fresh = new Map<string, Read>();
    for (const [i, got] of (committed.responses as readonly GetResult[]).entries()) {
      const { key } = reads[i]!;
      fresh.set(toBinaryString(key), readOf(key, got, header.revision));
    }
    return { ahead: { reads: fresh, revision: header.revision } };
  }

  #conflicts(reads: readonly Read[]): Compare[] {
    if (this.#isolation === "readCommitted") return [];
    const unread = reads.map(({ key, kv }) => compare.mod(key).equals(kv?.modRevision ?? 0));
    if (this.#isolation !== "serializableSnapshot" || reads.length === 0) return unread;
    // The first revision that the attempt did not see.
    const next = Math.min(...reads.map(({ revision }) => revision)) + 1;
    const written = [...this.#writes.values()].map((write) =>
      compare.mod(write.op.key).lessThan(next),
    );
    return [...unread, ...written];
  }
}

interface Ahead {
  readonly reads: Map<string, Read>;
  readonly revision: number;
}

const nothingAhead = (): Ahead => ({ reads: new Map(), revision: 0 });

function isSnapshot(isolation: Isolation): boolean {
  return isolation === "serializable" || isolation === "serializableSnapshot";
}

function nameOf(key: Bytes): string {
  return toBinaryString(toBytes(key, "key"));
}

function readOf(key: Uint8Array, got: GetResult, base: number): Read {
  return { key, kv: got.kvs[0] ?? null, revision: base === 0 ? got.header.revision : base };
}

async function readAhead(kv: Kv, keys: readonly Bytes[], signal?: AbortSignal): Promise<Ahead> {
  if (keys.length === 0) return nothingAhead();
  const gets = keys.map((key) => op.get(key));
  const committed = await kv
    .txn()
    .then(...gets)
    .commit(signal === undefined ? {} : { signal });
  const { revision } = committed.header;
  const reads = new Map<string, Read>();
  for (const [i, got] of (committed.responses as readonly GetResult[]).entries()) {
    const key = toBytes(keys[i]!, "key");
    reads.set(toBinaryString(key), readOf(key, got, revision));
  }
  return { reads, revision };
}

/**
 * Runs `attempt` until it is committed. It may run several times, so it must have no effects but
 * those on the transaction. What it throws ends the transaction, with nothing written. Throws
 * StmConflictError after `attemptsMax` attempts.
 */
export async function stm<T>(
  kv: Kv,
  attempt: (transaction: StmTransaction) => Promise<T> | T,
  options: StmOptions = {},
): Promise<StmResult<T>> {
  const { isolation = "serializableSnapshot", prefetch = [], signal } = options;
  const attemptsMax = options.attemptsMax ?? attemptsDefault;
  let ahead = await readAhead(kv, prefetch, signal);
  for (let attempts = 1; attempts <= attemptsMax; attempts++) {
    const transaction = new StmTransaction(kv, isolation, signal, ahead);
    try {
      const result = await attempt(transaction);
      const ended = await transaction.commit();
      if ("header" in ended) return { result, header: ended.header, attempts };
      ahead = ended.ahead;
    } catch (error) {
      // The attempt's revision is gone; the next one begins with the newest.
      if (!(error instanceof CompactedError)) throw error;
      ahead = nothingAhead();
    }
  }
  throw new StmConflictError(attemptsMax);
}
