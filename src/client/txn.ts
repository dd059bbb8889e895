import { InvalidInputError } from "./input.ts";
import { op } from "./op.ts";
import type {
  BranchResult,
  CallOptions,
  Compare,
  Op,
  TxnBuilder,
  TxnOp,
  TxnResult,
} from "./types.ts";

type Part = "if" | "then" | "else";

const parts: readonly Part[] = ["if", "then", "else"];

/** Sends the finished transaction: `kv.do`, or what a wrapper makes of it. */
export type CommitTxn = (txn: TxnOp, options?: CallOptions) => Promise<TxnResult>;

/** The builder behind `kv.txn()` and the one of every wrapper. */
export class TxnDraft<
  Then extends readonly Op[] = readonly [],
  Else extends readonly Op[] = readonly [],
> implements TxnBuilder<Then, Else> {
  readonly #commit: CommitTxn;
  #compares: readonly Compare[] = [];
  #success: readonly Op[] = [];
  #failure: readonly Op[] = [];
  /** The part given last: parts before it cannot be given any more. */
  #last: Part | null = null;

  constructor(commit: CommitTxn) {
    this.#commit = commit;
  }

  if(...compares: readonly Compare[]): this {
    this.#begin("if");
    this.#compares = compares;
    return this;
  }

  then<T extends readonly Op[]>(...ops: T): TxnDraft<T, Else> {
    if (typeof ops[0] === "function") {
      throw new InvalidInputError("a transaction builder was awaited: commit() sends it");
    }
    this.#begin("then");
    this.#success = ops;
    return this as unknown as TxnDraft<T, Else>;
  }

  else<E extends readonly Op[]>(...ops: E): TxnDraft<Then, E> {
    this.#begin("else");
    this.#failure = ops;
    return this as unknown as TxnDraft<Then, E>;
  }

  async commit(options?: CallOptions): Promise<BranchResult<Then, Else>> {
    const txn = op.txn(this.#compares, this.#success, this.#failure);
    return (await this.#commit(txn, options)) as BranchResult<Then, Else>;
  }

  #begin(part: Part): void {
    const last = this.#last;
    if (last === part) throw new InvalidInputError(`${part} was given already`);
    if (last !== null && parts.indexOf(last) > parts.indexOf(part)) {
      throw new InvalidInputError(`${part} must come before ${last}`);
    }
    this.#last = part;
  }
}
