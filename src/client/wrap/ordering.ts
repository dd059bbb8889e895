// Reads that never go back in time, for clients whose reads are answered by members that lag.
//
// O1  `seen` is the highest revision of all answers; an answer below the one that was seen when
//     its call began is not handed out.
// O2  Only reads are repeated: the answer to a write is never behind.
import { InvalidInputError } from "../input.ts";
import { grpcCode } from "../../base/grpc-code.ts";
import { EtcdError } from "../errors.ts";
import { isWrite } from "../op.ts";
import { TxnDraft } from "../txn.ts";
import type {
  Bytes,
  CallOptions,
  DeleteOptions,
  DeleteResult,
  GetOptions,
  GetResult,
  Header,
  KeyValue,
  Kv,
  Op,
  OpResult,
  PutOptions,
  PutResult,
  ResultOf,
} from "../types.ts";

const triesDefault = 15;

/** No member answered with a revision as high as one that was seen already. */
export class StaleReadError extends EtcdError {
  readonly seenRevision: number;

  constructor(seenRevision: number, tries: number) {
    const text = `no member has revision ${seenRevision}, which was seen before (${tries} tries)`;
    super(grpcCode.unavailable, text);
    this.seenRevision = seenRevision;
  }
}

export interface OrderingOptions {
  /**
   * How often a read is sent, each time to the next endpoint, before it fails with StaleReadError.
   * At least once; default 15.
   */
  readonly tries?: number;
  /**
   * Called for every answer that is behind, before the read is repeated; throw to give up. Here a
   * caller can wait, or choose other endpoints.
   */
  readonly onViolation?: (revision: number, seenRevision: number) => void | Promise<void>;
}

export class OrderingKv implements Kv {
  readonly #inner: Kv;
  readonly #tries: number;
  readonly #onViolation: NonNullable<OrderingOptions["onViolation"]>;
  #seen = 0;

  constructor(inner: Kv, options: OrderingOptions = {}) {
    const { tries = triesDefault, onViolation = () => undefined } = options;
    if (!Number.isSafeInteger(tries) || tries < 1) {
      throw new InvalidInputError(`tries must be a whole number from 1 on, not ${tries}`);
    }
    this.#inner = inner;
    this.#tries = tries;
    this.#onViolation = onViolation;
  }

  /** The highest revision seen so far. */
  get seenRevision(): number {
    return this.#seen;
  }

  get(key: Bytes, options?: GetOptions): Promise<GetResult> {
    return this.#inOrder(() => this.#inner.get(key, options));
  }

  async put(key: Bytes, value: Bytes, options?: PutOptions): Promise<PutResult> {
    return this.#noted(await this.#inner.put(key, value, options));
  }

  async delete(key: Bytes, options?: DeleteOptions): Promise<DeleteResult> {
    return this.#noted(await this.#inner.delete(key, options));
  }

  async compact(
    revision: number,
    options?: CallOptions & { readonly physical?: boolean },
  ): Promise<{ readonly header: Header }> {
    return this.#noted(await this.#inner.compact(revision, options));
  }

  async do<T extends Op>(op: T, options?: CallOptions): Promise<ResultOf<T>> {
    if (isWrite(op)) return this.#noted(await this.#inner.do(op, options)); // O2
    return this.#inOrder(() => this.#inner.do(op, options));
  }

  txn(): TxnDraft {
    return new TxnDraft((op, options) => this.do(op, options));
  }

  /** Its pieces carry no revision: only reads that are never behind can be streamed. */
  stream(key: Bytes, options?: GetOptions): AsyncIterable<KeyValue> {
    if (options?.serializable === true) {
      throw new InvalidInputError("stream: a serializable range cannot be kept in order");
    }
    return this.#inner.stream(key, options);
  }

  async #inOrder<T extends OpResult>(read: () => Promise<T>): Promise<T> {
    const seen = this.#seen; // O1: that of the beginning; other calls may raise it meanwhile
    for (let tried = 1; ; tried++) {
      const result = await read();
      if (result.header.revision >= seen) return this.#noted(result);
      if (tried === this.#tries) throw new StaleReadError(seen, tried);
      await this.#onViolation(result.header.revision, seen);
    }
  }

  #noted<T extends { readonly header: Header }>(result: T): T {
    this.#seen = Math.max(this.#seen, result.header.revision);
    return result;
  }
}
