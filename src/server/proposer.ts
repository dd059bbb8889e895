// PP1  A proposal's bytes are the canonical InternalRaftRequest and nothing else.
// PP2  While the rows not yet durable in the backend exceed their bound, or the node takes no
//      proposals for want of a leader, proposals wait, in order; what waits is bounded too, and
//      beyond that refused.
// PP3  A proposal that waits has its waiter registered: it times out and is stopped like any other,
//      and is not proposed once its waiter was told so or has gone. It leaves the queue before the
//      node gets it, so it is proposed once at most.
// PP4  What the member itself must get through (revoking expired leases) does not wait behind
//      clients: it is proposed in the call or fails (etcd #20492).

import {
  errCanceled,
  errContextDeadline,
  errRequestTooLarge,
  errRequestTooManyRequests,
  errStopped,
  type EtcdError,
} from "../base/etcd-errors.ts";
import { Arena } from "../base/arena.ts";
import { encodeInternalRequest } from "../codec/internal.ts";
import type { TxnRequest } from "../codec/messages.ts";
import { Writer } from "../codec/writer.ts";
import type { ApplyResult } from "./apply/applier.ts";
import type { Node } from "./node.ts";
import type { Waiter } from "./proposals.ts";
import type { Proposer } from "./rpc/services.ts";

export interface ProposerOptions {
  readonly node: Pick<Node, "proposals" | "propose" | "proposeFirst" | "takesProposals">;
  /** --max-request-bytes: of the whole entry. */
  readonly requestBytesMax: number;
  /** Bytes of rows that the backend has not made durable. */
  readonly overlayBytes: () => number;
  readonly overlayBytesMax: number;
}

/** What may wait (PP2); one proposal always may. */
const waitingLimits = {
  /** Bytes while the backend is behind. */
  backendBytesMax: 64 * 1024 * 1024,
  /** Bytes and number for want of a leader: what then goes out at once must fit a peer's stream. */
  leaderBytesMax: 16 * 1024 * 1024,
  leaderCountMax: 10_000,
} as const;

/** Turns requests into log entries and connects their waiters. */
export class RaftProposer implements Proposer {
  readonly #options: ProposerOptions;
  readonly #scratch = new Writer();
  /** Entries live in the log about equally long. */
  readonly #entries = new Arena(256 * 1024);
  readonly #header: { idHigh: number; idLow: number; username: string; authRevision: number };
  #waiting: WaitingProposal[] = [];
  #waitingBytes = 0;

  constructor(options: ProposerOptions) {
    this.#options = options;
    const { idHigh } = options.node.proposals;
    this.#header = { idHigh, idLow: 0, username: "", authRevision: 0 };
  }

  propose(field: number, body: Uint8Array, waiter: Waiter): void {
    const { node, requestBytesMax, overlayBytes, overlayBytesMax } = this.#options;
    const header = this.#header;
    const out = this.#encode(field, body);
    if (out.length > requestBytesMax) {
      waiter.failed(errRequestTooLarge);
      return;
    }
    const data = this.#entries.copy(out.view());
    const isHeld = !node.takesProposals || overlayBytes() > overlayBytesMax;
    if (isHeld || this.#waiting.length > 0) {
      this.#wait(data, header.idLow, waiter);
      return;
    }
    const error = node.propose(data);
    if (error !== null) waiter.failed(error);
    else node.proposals.register(header.idLow, waiter);
  }

  /** Proposes a small request of the member itself, past every queue (PP4). */
  proposeNow(field: number, body: Uint8Array, waiter: Waiter): void {
    const { node } = this.#options;
    const data = this.#entries.copy(this.#encode(field, body).view());
    const error = node.proposeFirst(data);
    if (error !== null) waiter.failed(error);
    else node.proposals.register(this.#header.idLow, waiter);
  }

  #encode(field: number, body: Uint8Array): Writer {
    const header = this.#header;
    header.idLow = this.#options.node.proposals.nextIdLow();
    const out = this.#scratch;
    out.reset();
    encodeInternalRequest(out, field, body, header); // PP1
    return out;
  }

  /** The backend has made rows durable, or there is a leader: what waited for that goes on. */
  resume(): void {
    if (this.#waiting.length === 0) return;
    const { node, overlayBytes, overlayBytesMax } = this.#options;
    if (!node.takesProposals || overlayBytes() > overlayBytesMax) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const proposal of waiting) {
      const { data, idLow } = proposal;
      if (proposal.isTold) continue; // PP3
      proposal.isProposed = true;
      const error = proposal.isGone ? errCanceled : node.propose(data);
      if (error !== null) node.proposals.failed(idLow, error);
    }
  }

  #wait(data: Uint8Array, idLow: number, waiter: Waiter): void {
    const { node } = this.#options;
    this.#dropTold();
    const bytes = this.#waitingBytes + data.length;
    const { backendBytesMax, leaderBytesMax, leaderCountMax } = waitingLimits;
    const isFull = node.takesProposals
      ? bytes > backendBytesMax
      : bytes > leaderBytesMax || this.#waiting.length >= leaderCountMax;
    if (isFull && this.#waiting.length > 0) {
      waiter.failed(errRequestTooManyRequests);
      return;
    }
    const proposal = new WaitingProposal(node, data, idLow, waiter);
    this.#waitingBytes = bytes;
    this.#waiting.push(proposal);
    node.proposals.register(idLow, proposal);
  }

  /** The oldest ones time out first: what they took is free again. */
  #dropTold(): void {
    let told = 0;
    while (this.#waiting[told]?.isTold === true) {
      this.#waitingBytes -= this.#waiting[told]!.data.length;
      told++;
    }
    if (told > 0) this.#waiting.splice(0, told);
  }
}

/** A proposal that the node has not got yet. */
class WaitingProposal implements Waiter {
  readonly data: Uint8Array;
  readonly idLow: number;
  readonly request?: TxnRequest;
  isTold = false;
  isProposed = false;
  readonly #node: Pick<Node, "takesProposals">;
  readonly #waiter: Waiter;

  constructor(node: Pick<Node, "takesProposals">, data: Uint8Array, idLow: number, waiter: Waiter) {
    this.#node = node;
    this.data = data;
    this.idLow = idLow;
    this.#waiter = waiter;
    if (waiter.request !== undefined) this.request = waiter.request;
  }

  get isGone(): boolean {
    return this.#waiter.isGone === true;
  }

  applied(result: ApplyResult): void {
    this.#waiter.applied(result);
  }

  failed(error: EtcdError): void {
    this.isTold = true;
    // In etcd the time is over inside of raft's Propose, which gives the context's own error.
    const isLeaderless = !this.isProposed && !this.#node.takesProposals;
    this.#waiter.failed(isLeaderless && error !== errStopped ? errContextDeadline : error);
  }
}
