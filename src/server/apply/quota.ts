/** What a request may add to the backend, as etcd estimates it (semantics.md 11). */

import type { PutRequest, RequestOp, TxnRequest } from "../../codec/messages.ts";

const putOverheadBytes = 256;
const leaseGrantBytes = 64;

export function putCost(put: PutRequest): number {
  return putOverheadBytes + put.key.length + put.value.length;
}

/** The bigger side, nested transactions counted. */
export function txnCost(txn: TxnRequest): number {
  return Math.max(opsCost(txn.success), opsCost(txn.failure));
}

export function leaseGrantCost(): number {
  return leaseGrantBytes;
}

function opsCost(ops: readonly RequestOp[]): number {
  let bytes = 0;
  for (const op of ops) {
    if (op.kind === "put") bytes += putCost(op.put);
    else if (op.kind === "txn") bytes += txnCost(op.txn);
  }
  return bytes;
}

/** Answers whether `cost` more bytes fit. Limit <= 0: no limit. */
export class Quota {
  readonly limitBytes: number;
  readonly #usedBytes: () => number;

  constructor(limitBytes: number, usedBytes: () => number) {
    this.limitBytes = limitBytes;
    this.#usedBytes = usedBytes;
  }

  available(cost: number): boolean {
    if (cost === 0 || this.limitBytes <= 0) return true; // what adds nothing always fits
    return this.#usedBytes() + cost < this.limitBytes;
  }
}
