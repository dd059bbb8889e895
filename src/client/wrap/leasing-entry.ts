import { makeKeyValue } from "../../codec/client/key-value.ts";
import { toBytes } from "../input.ts";
import type { GetOptions, GetResult, Header, KeyValue, PutOp, Watcher } from "../types.ts";

/** A key that this session may answer from memory, or would if it knew its value. */
export class LeasingEntry {
  /** The leasing key was this session's at this revision: one created later is another's. */
  readonly heldRevision: number;
  readonly monitor: Watcher;
  /** What the key holds: null nothing, undefined not known. */
  #kv: KeyValue | null | undefined;
  #header: Header;
  /** Writes of this client to the key that are under way: their outcome is not known yet. */
  #writes = 0;
  /** Grows with every write: what was read across one counts for nothing. */
  changes = 0;
  #idle: Promise<void> = Promise.resolve();
  #wake = (): void => undefined;

  constructor(heldRevision: number, monitor: Watcher, header: Header) {
    this.heldRevision = heldRevision;
    this.monitor = monitor;
    this.#header = header;
    this.#kv = undefined;
  }

  get isKnown(): boolean {
    return this.#kv !== undefined;
  }

  /** Resolves when no write is under way. */
  async settled(): Promise<void> {
    while (this.#writes > 0) await this.#idle;
  }

  beginWrite(): void {
    this.changes++;
    if (this.#writes++ > 0) {
      this.forget(); // several at once: the order of their answers says nothing
      return;
    }
    this.#idle = new Promise((resolve) => (this.#wake = resolve));
  }

  endWrite(): void {
    if (--this.#writes === 0) this.#wake();
  }

  forget(): void {
    this.#kv = undefined;
  }

  /**
   * Sets what was read, unless a write came between. A key with a lease is not kept: it goes away
   * by itself.
   */
  learn(kv: KeyValue | null, header: Header, changesBefore: number): void {
    if (this.changes !== changesBefore || this.#writes > 0) return;
    if (kv !== null && kv.lease !== 0n) return;
    this.#kv = kv;
    this.#header = header;
  }

  deleted(header: Header): void {
    if (this.#kv === undefined) return;
    this.#kv = null;
    this.#header = header;
  }

  put(op: PutOp, header: Header): void {
    const before = this.#kv;
    if (before === undefined) return;
    const { ignoreValue, ignoreLease, lease = 0n } = op.options;
    if (ignoreLease !== true && lease !== 0n) {
      this.forget();
      return;
    }
    const value = ignoreValue === true ? before?.value : toBytes(op.value, "value");
    this.#kv = makeKeyValue(toBytes(op.key, "key"), value ?? new Uint8Array(0), {
      createRevision: before?.createRevision ?? header.revision,
      modRevision: header.revision,
      version: (before?.version ?? 0) + 1,
      lease: 0n,
    });
    this.#header = header;
  }

  /** The answer to a get of the key, once its value is known. */
  answer(options: GetOptions): GetResult {
    return answerOf(this.#kv ?? null, this.#header, options);
  }
}

/** As the server would answer, for options that concern one key at the newest revision. */
export function answerOf(kv: KeyValue | null, header: Header, options: GetOptions): GetResult {
  const count = kv === null ? 0 : 1;
  const isShown = kv !== null && options.countOnly !== true && passes(kv, options);
  const shown = options.keysOnly === true && kv !== null ? withoutValue(kv) : kv;
  return { kind: "get", header, kvs: isShown ? [shown!] : [], more: false, count };
}

function passes(kv: KeyValue, options: GetOptions): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = options;
  return (
    within(kv.modRevision, minModRevision, maxModRevision) &&
    within(kv.createRevision, minCreateRevision, maxCreateRevision)
  );
}

/** 0 and absent: no bound, as on the wire. */
function within(revision: number, min = 0, max = 0): boolean {
  return (min === 0 || revision >= min) && (max === 0 || revision <= max);
}

function withoutValue(kv: KeyValue): KeyValue {
  return makeKeyValue(kv.key, new Uint8Array(0), kv);
}
