import type { KvRequest, KvResponse, Operation } from "./history.ts";
import type { Rank, SearchModel } from "./search.ts";

/**
 * One key of which only the value is known: put, delete, get, and transactions that compare the
 * value. null: absent.
 */
export class RegisterModel implements SearchModel {
  #value: string | null = null;
  readonly #before: (string | null)[] = [];

  tryStep({ request, response }: Operation): boolean {
    this.#before.push(this.#value);
    if (this.#run(request, response)) return true;
    this.undo();
    return false;
  }

  undo(): void {
    this.#value = this.#before.pop()!;
  }

  fingerprint(): string {
    return this.#value === null ? "-" : `=${this.#value}`;
  }

  rank({ request, response }: Operation): Rank {
    if (request.kind === "range") return { pass: 0, isForced: true };
    return { pass: response === null ? 2 : 1, isForced: false };
  }

  /** False: not with this answer. */
  #run(request: KvRequest, response: KvResponse | null): boolean {
    switch (request.kind) {
      case "put":
        this.#value = request.value;
        return true;
      case "delete": {
        const deleted = this.#value === null ? 0 : 1;
        this.#value = null;
        return response?.kind !== "delete" || response.deleted === deleted;
      }
      case "range":
        return response?.kind !== "range" || (response.kvs[0]?.value ?? null) === this.#value;
      case "txn": {
        const succeeded = request.compares.every((compare) => {
          if (compare.target !== "value") throw new RangeError("compares more than values");
          if (this.#value === null) return false;
          return (compare.result === "=") === (this.#value === compare.operand);
        });
        if (response?.kind === "txn" && response.succeeded !== succeeded) return false;
        const branch = succeeded ? request.success : request.failure;
        const answers = response?.kind === "txn" ? response.responses : null;
        return branch.every((inner, i) => this.#run(inner, answers?.[i] ?? null));
      }
      case "grant":
      case "revoke":
        throw new RangeError(`Cannot check ${request.kind} by key`);
    }
  }
}
