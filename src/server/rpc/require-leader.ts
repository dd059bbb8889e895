/** Streams whose client asks for a member that knows a leader (metadata `hasleader`). */

import type { Clock } from "../../base/ports.ts";
import type { GrpcCall } from "../../http2/types.ts";

// RL1  A stream ends when no leader was known at three looks in a row, one election timeout apart
//      (as in etcd): an ordinary election ends nobody's watch.
// RL2  Nothing is looked at while there is no such stream.

const looksWithoutLeaderMax = 3;

export interface RequireLeaderParts {
  readonly clock: Pick<Clock, "after">;
  readonly electionTimeoutMs: number;
  readonly hasLeader: () => boolean;
  readonly end: (call: GrpcCall) => void;
}

export class RequireLeader {
  readonly #parts: RequireLeaderParts;
  readonly #streams = new Set<GrpcCall>();
  #isLooking = false;
  #looksWithoutLeader = 0;

  constructor(parts: RequireLeaderParts) {
    this.#parts = parts;
  }

  /** From now on; a stream that ended by itself is forgotten at the next look. */
  add(call: GrpcCall): void {
    this.#streams.add(call);
    if (!this.#isLooking) this.#looksWithoutLeader = 0;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isLooking || this.#streams.size === 0) return; // RL2
    this.#isLooking = true;
    this.#parts.clock.after(this.#parts.electionTimeoutMs, this.#look);
  }

  readonly #look = (): void => {
    this.#isLooking = false;
    for (const call of this.#streams) if (call.done) this.#streams.delete(call);
    this.#looksWithoutLeader = this.#parts.hasLeader() ? 0 : this.#looksWithoutLeader + 1;
    if (this.#looksWithoutLeader >= looksWithoutLeaderMax) {
      for (const call of this.#streams) this.#parts.end(call); // RL1
      this.#streams.clear();
    }
    this.#schedule();
  };
}
