// LX1  A lease found expired is revoked only by a leader that confirmed its leadership after it was
//      found, in the same term (etcd #12528, #15247): a leader that was paused or cut off revokes
//      nothing, as its confirmation never comes.
// LX2  A revocation is proposed here or dropped, never forwarded and never put off.

import type { Turn } from "../base/ports.ts";
import { encodeLeaseIdRequest } from "../codec/lease.ts";
import { Writer } from "../codec/writer.ts";
import { requestField } from "./apply/fields.ts";
import type { Node } from "./node.ts";
import type { RaftProposer } from "./proposer.ts";

export interface LeaseExpiryParts {
  readonly node: Pick<Node, "isLeader" | "term" | "gate">;
  readonly proposer: Pick<RaftProposer, "proposeNow">;
  readonly turn: Turn;
}

/** Revokes expired leases through the log. What is dropped is found again by the lessor. */
export class LeaseExpiry {
  readonly #parts: LeaseExpiryParts;
  readonly #scratch = new Writer(16);
  /** Found in this turn. Bounded by the lessor's round. */
  #found: bigint[] = [];
  #foundInTerm = 0;
  readonly #confirmFound = (): void => {
    this.#confirm();
  };

  constructor(parts: LeaseExpiryParts) {
    this.#parts = parts;
  }

  /** The lessor found the lease expired. */
  expired(id: bigint): void {
    const { node, turn } = this.#parts;
    if (this.#found.length === 0) {
      this.#foundInTerm = node.term;
      turn.atEnd(this.#confirmFound);
    }
    this.#found.push(id);
  }

  #confirm(): void {
    const { node } = this.#parts;
    const found = this.#found;
    const term = this.#foundInTerm;
    this.#found = [];
    if (!node.isLeader || node.term !== term) return;
    node.gate.read({
      ready: (error) => {
        if (error !== null || !node.isLeader || node.term !== term) return; // LX1
        for (const lease of found) this.#revoke(lease);
      },
    });
  }

  #revoke(id: bigint): void {
    const out = this.#scratch;
    out.reset();
    encodeLeaseIdRequest(out, id);
    this.#parts.proposer.proposeNow(requestField.leaseRevoke, out.view(), nobody); // LX2
  }
}

const nobody = { applied: () => undefined, failed: () => undefined };
