// CE1  Only the leader answers for a lease, and only after a majority confirmed that it leads, in
//      the term in which it answers: a member that was cut off or stood still renews nothing (L3),
//      nor does one that leads again but has not applied what another one decided meanwhile. One
//      voter alone needs nobody.
// CE2  Everybody else asks the leader, again and again, until it gives a verdict or time is up.
// CE3  A lease with a checkpoint is renewed when the log has cleared it (LS7).

import {
  errLeaderChanged,
  errNotPrimaryLessor,
  errTimeout,
  type EtcdError,
} from "../base/etcd-errors.ts";
import type { Clock } from "../base/ports.ts";
import {
  decodeLeaseAnswer,
  decodeLeaseInternal,
  encodeLeaseCheckpointRequest,
  encodeLeaseIdRequest,
  encodeLeaseInternal,
  encodeLeaseTimeToLiveRequest,
  type LeaseAnswer,
  type LeaseCheckpoint,
} from "../codec/lease.ts";
import { Writer } from "../codec/writer.ts";
import { requestField } from "./apply/fields.ts";
import { renewed, type Lessor } from "./lease/lessor.ts";
import type { Node } from "./node.ts";
import type { PeerAnswer, PeerTransport } from "./peer/peer-port.ts";
import type { RaftProposer } from "./proposer.ts";
import type { ClusterLeases, RenewDone, TimeToLiveDone } from "./rpc/services.ts";

export interface ClusterLeasesParts {
  readonly lessor: Lessor;
  readonly node: Node;
  readonly proposer: Pick<RaftProposer, "proposeNow">;
  readonly peers: Pick<PeerTransport, "call">;
  readonly clock: Clock;
  readonly requestTimeoutMs: number;
}

/** Paths on the peer port. */
export const leasePaths = { renew: "/leases", internal: "/leases/internal" } as const;

/** Pause before the leader is asked again (as in etcd). */
const retryMs = 50;

/** Renewals and remaining times, answered here or by the leader. */
export class LeaseRouter implements ClusterLeases {
  readonly #parts: ClusterLeasesParts;
  readonly #scratch = new Writer(64);

  constructor(parts: ClusterLeasesParts) {
    this.#parts = parts;
  }

  get isAlone(): boolean {
    const { node } = this.#parts;
    return node.isLeader && node.confState.voters.length === 1;
  }

  renew(id: bigint, done: RenewDone): void {
    const out = new Writer(16);
    encodeLeaseIdRequest(out, id);
    this.#route({
      body: out.copy(),
      path: leasePaths.renew,
      here: (settle) => {
        this.renewHere(id, settle);
      },
      missing: 0,
      read: (body) => decodeLeaseAnswer(body).ttl,
      done: (error, ttl) => {
        done(error, ttl ?? 0);
      },
    });
  }

  timeToLive(id: bigint, keys: boolean, done: TimeToLiveDone): void {
    const request = new Writer(16);
    encodeLeaseTimeToLiveRequest(request, { id, keys });
    const out = new Writer(32);
    encodeLeaseInternal(out, request.view());
    const missing: LeaseAnswer = { id, ttl: -1, grantedTtl: 0, keys: [] };
    this.#route({
      body: out.copy(),
      path: leasePaths.internal,
      here: (settle) => {
        this.timeToLiveHere(id, keys, settle);
      },
      missing,
      read: (body) => {
        const inner = decodeLeaseInternal(body);
        return inner === null ? missing : decodeLeaseAnswer(inner);
      },
      done: (error, answer) => {
        done(error, answer ?? missing);
      },
    });
  }

  /** On the leader. errNotPrimaryLessor: it is none (any more). */
  renewHere(id: bigint, done: RenewDone): void {
    const { lessor } = this.#parts;
    this.#confirm((error) => {
      if (error !== null || !lessor.isPrimary) {
        done(error ?? errNotPrimaryLessor, 0);
        return;
      }
      this.#settle(
        id,
        lessor.renew(id, {
          renewEnded: (_id, outcome) => {
            done(outcome === "notPrimary" ? errNotPrimaryLessor : null, 0);
          },
        }),
        done,
      );
    });
  }

  timeToLiveHere(id: bigint, keys: boolean, done: TimeToLiveDone): void {
    const { lessor } = this.#parts;
    this.#confirm((error) => {
      const failure = error ?? (lessor.isPrimary ? null : errLeaderChanged);
      const status = failure === null ? lessor.timeToLive(id) : null;
      done(failure, {
        id,
        ttl: status?.ttl ?? -1,
        grantedTtl: status?.grantedTtl ?? 0,
        keys: status !== null && keys ? lessor.keysOf(id) : [],
      });
    });
  }

  /** CE1: `ready` runs in the call that confirms it, and nothing comes between. */
  #confirm(ready: (error: EtcdError | null) => void): void {
    const { node } = this.#parts;
    const { term } = node;
    node.gate.read({
      ready: (error) => {
        if (error === null && node.term !== term) this.#confirm(ready);
        else ready(error);
      },
    });
  }

  /** What is left of leases goes into the log; what fails is found again. */
  proposeCheckpoints(checkpoints: readonly LeaseCheckpoint[]): void {
    if (!this.#parts.node.isLeader) return;
    this.#proposeCheckpoints(checkpoints, () => undefined);
  }

  #settle(id: bigint, outcome: number, done: RenewDone): void {
    if (outcome === renewed.checkpointed) this.#clearCheckpoint(id, done);
    else if (outcome === renewed.notPrimary) done(errNotPrimaryLessor, 0);
    else if (outcome !== renewed.waiting) done(null, outcome);
  }

  /** CE3 */
  #clearCheckpoint(id: bigint, done: RenewDone): void {
    const { lessor } = this.#parts;
    lessor.clearing(id, true);
    this.#proposeCheckpoints([{ id, remainingTtl: 0 }], (error) => {
      if (error === null) {
        this.renewHere(id, done);
        return;
      }
      lessor.clearing(id, false);
      done(error, 0);
    });
  }

  #proposeCheckpoints(
    checkpoints: readonly LeaseCheckpoint[],
    done: (error: EtcdError | null) => void,
  ): void {
    const out = this.#scratch;
    out.reset();
    encodeLeaseCheckpointRequest(out, checkpoints);
    this.#parts.proposer.proposeNow(requestField.leaseCheckpoint, out.view(), {
      applied: () => {
        done(null);
      },
      failed: done,
    });
  }

  /** CE2 */
  #route<T>(route: Route<T>): void {
    const { node, peers, clock, requestTimeoutMs } = this.#parts;
    const deadline = clock.now() + requestTimeoutMs;
    const again = (): void => {
      clock.after(retryMs, attempt);
    };
    const attempt = (): void => {
      const timeoutMs = deadline - clock.now();
      if (timeoutMs <= 0) route.done(errTimeout, null);
      else if (node.isLeader) {
        route.here((error, value) => {
          // Another member leads now: it will know.
          if (error !== null && !node.isLeader) again();
          else route.done(error, value);
        });
      } else if (node.leader === 0n) again();
      else {
        const { body, path } = route;
        const request = { method: "POST", path, body, timeoutMs } as const;
        peers.call(node.leader, request, (error, answer) => {
          const value = error === null ? readAnswer(route, answer) : null;
          if (value === null) again();
          else route.done(null, value);
        });
      }
    };
    attempt();
  }
}

interface Route<T> {
  readonly path: string;
  readonly body: Uint8Array;
  readonly here: (settle: (error: EtcdError | null, value: T) => void) => void;
  /** The leader's answer says that there is no such lease. */
  readonly missing: T;
  readonly read: (body: Uint8Array) => T;
  readonly done: (error: EtcdError | null, value: T | null) => void;
}

/** null: no verdict. */
function readAnswer<T>(route: Route<T>, { status, body }: PeerAnswer): T | null {
  if (status === 404) return route.missing;
  if (status !== 200) return null;
  try {
    return route.read(body);
  } catch {
    return null; // not an answer of a member
  }
}
