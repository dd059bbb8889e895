/** A learner's promotion, asked for on a follower: only the leader knows how far the learner is. */

import { errLearnerNotReady, errTimeout, type EtcdError } from "../../base/etcd-errors.ts";
import type { Clock } from "../../base/ports.ts";
import type { PeerAnswer, PeerTransport } from "../peer/peer-port.ts";
import { decodeMembers, type Member } from "./member.ts";
import { errIdNotFound, errNotLearner } from "./member-error.ts";

export interface ForwardParts {
  readonly status: { readonly isLeader: boolean; readonly leader: bigint };
  readonly peers: Pick<PeerTransport, "call">;
  readonly clock: Clock;
  readonly requestTimeoutMs: number;
  /** This member has become the leader meanwhile. */
  readonly promoteHere: (done: MembersDone) => void;
}

type MembersDone = (error: EtcdError | null, members: readonly Member[]) => void;

/** Path on the peer port; the id in decimal follows. */
export const promotePath = "/members/promote/";

/** Pause before asking again: no leader, or no clear answer. */
const retryMs = 100;

/** Asks the leader until it gives a verdict, for at most `requestTimeoutMs`. */
export function promoteOnLeader(parts: ForwardParts, id: bigint, done: MembersDone): void {
  const { status, peers, clock } = parts;
  const deadline = clock.now() + parts.requestTimeoutMs;
  const attempt = (): void => {
    const timeoutMs = deadline - clock.now();
    if (timeoutMs <= 0) {
      done(errTimeout, []);
    } else if (status.isLeader) {
      parts.promoteHere(done);
    } else if (status.leader === 0n) {
      clock.after(retryMs, attempt);
    } else {
      const path = `${promotePath}${id}`;
      peers.call(status.leader, { method: "POST", path, timeoutMs }, (error, answer) => {
        const verdict = error === null ? readVerdict(answer) : null;
        if (verdict === null) clock.after(retryMs, attempt);
        else done(verdict.error, verdict.members);
      });
    }
  };
  attempt();
}

interface Verdict {
  readonly error: EtcdError | null;
  readonly members: readonly Member[];
}

/** null: the leader could not say; ask again. */
function readVerdict({ status, body }: PeerAnswer): Verdict | null {
  const text = new TextDecoder().decode(body);
  const refused = (error: EtcdError): Verdict => ({ error, members: [] });
  switch (status) {
    case 200:
      try {
        return { error: null, members: decodeMembers(text) };
      } catch {
        return null; // not an answer of a member
      }
    case 404:
      return refused(errIdNotFound);
    case 412:
      if (text.includes(errLearnerNotReady.message)) return refused(errLearnerNotReady);
      return text.includes(errNotLearner.reason) ? refused(errNotLearner) : null;
    default:
      return null;
  }
}
