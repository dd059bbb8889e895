// PP1  A proposal's bytes are the canonical InternalRaftRequest and nothing else.
// PP2  While the rows not yet durable in the backend exceed their bound, proposals wait, in order;
//      what waits is bounded too, and beyond that refused.
// PP3  A proposal that waits has its waiter registered: it times out and is stopped like any other,
//      and is not proposed once its waiter was told so.
// PP4  What the member itself must get through (revoking expired leases) does not wait behind
//      clients: it is proposed in the call or fails (etcd #20492).

import { errRequestTooLarge, errRequestTooManyRequests } from "../base/etcd-errors.ts";
import { Arena } from "../base/arena.ts";
import { encodeInternalRequest } from "../codec/internal.ts";
import { Writer } from "../codec/writer.ts";
import type { Node } from "./node.ts";
import type { Waiter } from "./proposals.ts";
import type { Proposer } from "./rpc/services.ts";

export interface ProposerOptions {
  readonly node: Pick<Node, "proposals" | "propose" | "proposeFirst">;
  /** --max-request-bytes: of the whole entry. */
  readonly requestBytesMax: number;
  /** Bytes of rows that the backend has not made durable. */
  readonly overlayBytes: () => number;
  readonly overlayBytesMax: number;
}

/** Bytes of proposals that may wait for the backend (PP2). */
const stalledBytesMax = 64 * 1024 * 1024;

interface Stalled {
  readonly data: Uint8Array;
  readonly idLow: number;
}

/** Turns requests into log entries and connects their waiters. */
export class RaftProposer implements Proposer {
  readonly #options: ProposerOptions;
  readonly #scratch = new Writer();
  /** Entries live in the log about equally long. */
  readonly #entries = new Arena(256 * 1024);
  readonly #header: { idHigh: number; idLow: number; username: string; authRevision: number };
  #stalled: Stalled[] = [];
  #stalledBytes = 0;

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
    if (this.#stalled.length > 0 || overlayBytes() > overlayBytesMax) {
      this.#stall({ data, idLow: header.idLow }, waiter);
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

  /** The backend has made rows durable: what waited for that goes on. */
  resume(): void {
    const { node, overlayBytes, overlayBytesMax } = this.#options;
    if (this.#stalled.length === 0 || overlayBytes() > overlayBytesMax) return;
    const stalled = this.#stalled;
    this.#stalled = [];
    this.#stalledBytes = 0;
    for (const { data, idLow } of stalled) {
      if (node.proposals.get(idLow) === undefined) continue; // PP3
      const error = node.propose(data);
      if (error !== null) node.proposals.failed(idLow, error);
    }
  }

  #stall(proposal: Stalled, waiter: Waiter): void {
    if (this.#stalledBytes + proposal.data.length > stalledBytesMax) {
      waiter.failed(errRequestTooManyRequests);
      return;
    }
    this.#stalledBytes += proposal.data.length;
    this.#stalled.push(proposal);
    this.#options.node.proposals.register(proposal.idLow, waiter);
  }
}
