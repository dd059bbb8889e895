import {
  errNoLeader,
  errRequestTooManyRequests,
  errTimeout,
  type EtcdError,
} from "../base/etcd-errors.ts";
import type { Clock } from "../base/ports.ts";
import { encodeConfChange } from "../codec/conf-change.ts";
import type { ConfChangeRequest } from "./member/membership.ts";
import type { Node } from "./node.ts";

export interface ConfChangeProposerParts {
  readonly node: Pick<Node, "proposals" | "proposeConfChange">;
  readonly clock: Clock;
  readonly requestTimeoutMs: number;
}

/** Pause while there is no leader, or another change is not yet applied. */
const retryMs = 100;

const two48 = 1n << 48n;

/** Puts configuration changes into the log and waits until they are applied here. */
export class ConfChangeProposer {
  readonly #parts: ConfChangeProposerParts;

  constructor(parts: ConfChangeProposerParts) {
    this.#parts = parts;
  }

  /** `done` gets null when the change was applied, else why it was not, or may not have been. */
  propose(change: ConfChangeRequest, done: (error: EtcdError | null) => void): void {
    const { node, clock, requestTimeoutMs } = this.#parts;
    const deadline = clock.now() + requestTimeoutMs;
    const attempt = (): void => {
      const { proposals } = node;
      const idLow = proposals.nextIdLow();
      const id = BigInt(proposals.idHigh) * two48 + BigInt(idLow);
      const error = node.proposeConfChange(encodeConfChange({ id, ...change }));
      if (error === null) {
        proposals.register(idLow, {
          applied: (result) => {
            done(result.error);
          },
          failed: done,
        });
      } else if (error !== errNoLeader && error !== errRequestTooManyRequests) {
        done(error);
      } else if (clock.now() + retryMs < deadline) {
        clock.after(retryMs, attempt);
      } else {
        done(errTimeout);
      }
    };
    attempt();
  }
}
