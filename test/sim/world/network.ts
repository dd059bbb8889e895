/**
 * The network between members. Messages travel as encoded bytes over directed links.
 *
 * SN1  A message arrives at the process that runs under the id then, not at the one that ran when
 *      it was sent.
 * SN2  In order per link and channel, unless reordering is on; channels overtake each other.
 * SN3  What a cut link swallows is reported to the sender as unreachable, now and then.
 */

import type { Done, Random } from "../../../src/base/ports.ts";
import { decodeMessage, encodeMessage } from "../../../src/codec/raft.ts";
import { Writer } from "../../../src/codec/writer.ts";
import { MessageType, type Message } from "../../../src/raft/message.ts";
import type { RaftId } from "../../../src/raft/types.ts";
import type {
  PeerAnswer,
  PeerEvents,
  PeerRequest,
  PeerTransport,
  SnapshotSource,
} from "../../../src/server/peer/peer-port.ts";
import type { Life, Scheduler } from "../scheduler.ts";
import type { SimOptions } from "./options.ts";
import { channelAppend, channelBulk, channelOther, type Endpoint, type Link } from "./link.ts";
import { sendSnapshot } from "./snapshot-transfer.ts";
import type { Trace } from "./trace.ts";

/** After the network healed, nothing from before arrives later than this. */
const lateMsMax = 1000;

export interface NetworkParts {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly options: SimOptions;
  readonly trace: Trace;
  readonly world: Life;
  readonly mark: (name: string) => void;
  /** Every message that a member sends, whether it arrives or not. */
  readonly sent: (message: Message) => void;
}

/** What is very late comes after up to so many election timeouts. */
const lateElectionsMax = 8;

/** How many times as long as real time everything takes on a stretched link. */
const stretch = 5;

/** The link is a new connection: what is under way on the old one may be overtaken. */
export function relax(link: Link): void {
  if (link.stretchedSince < 0) return;
  link.stretchedSince = -1;
  link.lastAt = [0, 0, 0];
}

export class Network {
  readonly parts: NetworkParts;
  readonly #endpoints = new Map<RaftId, Endpoint>();
  readonly #links = new Map<RaftId, Map<RaftId, Link>>();
  readonly #random: Random;
  readonly #out = new Writer();
  /** Snapshots under way: they end when one side does. */
  readonly transfers = new Set<{ readonly lives: readonly Life[]; fail(): void }>();
  /** No loss, no duplicates, no reordering any more. */
  isCalm = false;

  #healedAt = -Infinity;

  constructor(parts: NetworkParts) {
    this.parts = parts;
    this.#random = parts.random;
  }

  /** The process under this id, if it runs. */
  endpoint(id: RaftId): Endpoint | null {
    const endpoint = this.#endpoints.get(id);
    return endpoint?.life.isAlive === true ? endpoint : null;
  }

  link(from: RaftId, to: RaftId): Link {
    let links = this.#links.get(from);
    if (links === undefined) this.#links.set(from, (links = new Map<RaftId, Link>()));
    let link = links.get(to);
    if (link === undefined) {
      link = { isCut: false, clogUntil: 0, stretchedSince: -1, lastAt: [0, 0, 0], since: 0 };
      links.set(to, link);
    }
    return link;
  }

  setCut(from: RaftId, to: RaftId, isCut: boolean): void {
    const link = this.link(from, to);
    if (link.isCut && !isCut) link.since = this.parts.scheduler.now;
    link.isCut = isCut;
  }

  /** Links are quick again; what is late by then was on connections that ended. */
  healAll(): void {
    this.#healedAt = this.parts.scheduler.now;
    for (const link of [...this.#links.values()].flatMap((links) => [...links.values()])) {
      if (link.isCut) link.since = this.parts.scheduler.now;
      link.isCut = false;
      link.clogUntil = 0;
      relax(link);
    }
  }

  /** Joins a process to the network. */
  attach(id: RaftId, life: Life, events: PeerEvents): PeerTransport {
    const since = this.parts.scheduler.now;
    const endpoint: Endpoint = { id, life, events, since, services: [] };
    this.#endpoints.set(id, endpoint);
    return new SimTransport(this, endpoint);
  }

  /** A process ended. */
  died(life: Life): void {
    for (const transfer of [...this.transfers]) {
      if (transfer.lives.includes(life)) transfer.fail();
    }
  }

  /** When a message of the channel that leaves now arrives. */
  arrival(link: Link, channel: number): number {
    const { scheduler, options } = this.parts;
    const spread = this.#random.below(1000) / 1000;
    const isSlow = this.#random.below(200) === 0;
    const delay = options.delayMs * (0.5 + spread) * (isSlow ? 10 : 1);
    let at = Math.max(scheduler.now, link.clogUntil) + delay;
    const { stretchedSince } = link;
    if (stretchedSince >= 0) at = stretchedSince + (at - stretchedSince) * stretch;
    const mayOvertake = options.faults.has("reorder") && !this.isCalm;
    if (mayOvertake && this.#random.below(50) === 0) {
      this.parts.mark("network.reorder");
      return at;
    }
    at = Math.max(at, link.lastAt[channel]!);
    link.lastAt[channel] = at;
    return at;
  }

  transmit(from: Endpoint, message: Message): void {
    const { options, mark } = this.parts;
    this.parts.sent(message);
    const link = this.link(from.id, message.to);
    if (link.isCut) {
      this.#lose(from, message.to);
      return;
    }
    if (!this.isCalm && this.#random.below(1000) < options.lossPerMille) {
      mark("network.loss");
      if (this.#random.below(2) === 0) this.#lose(from, message.to);
      return;
    }
    this.#out.reset();
    encodeMessage(this.#out, message);
    const bytes = this.#out.copy();
    const channel = message.type === MessageType.append ? channelAppend : channelOther;
    this.#deliver(from, message.to, bytes, this.arrival(link, channel));
    // A connection delivers once; raft's own messages may be doubled, but a proposal is a request.
    if (this.isCalm || message.type === MessageType.propose) return;
    if (this.#random.below(1000) < options.latePerMille) this.#deliverLate(from, message.to, bytes);
    if (this.#random.below(1000) >= options.duplicatePerMille) return;
    mark("network.duplicate");
    this.#deliver(from, message.to, bytes, this.arrival(link, channel) + this.#random.below(500));
  }

  /** Once more when nobody expects it: others may lead by then, or the same member again. */
  #deliverLate(from: Endpoint, to: RaftId, bytes: Uint8Array): void {
    const { scheduler, options, mark } = this.parts;
    mark("network.late");
    const elections = 0.5 + this.#random.below(lateElectionsMax * 100) / 100;
    this.#deliver(from, to, bytes, scheduler.now + elections * options.electionMs);
  }

  #lose(from: Endpoint, to: RaftId): void {
    if (this.#random.below(2) === 0) return; // half-open: nobody notices
    this.parts.scheduler.after(1 + this.#random.below(20), from.life, () => {
      from.events.unreachable(to);
    });
  }

  #deliver(from: Endpoint, to: RaftId, bytes: Uint8Array, at: number): void {
    const { scheduler, world, trace } = this.parts;
    const sentAt = scheduler.now;
    scheduler.after(at - scheduler.now, world, () => {
      const wasBroken = sentAt < this.#healedAt && scheduler.now > this.#healedAt + lateMsMax;
      if (wasBroken) return;
      const endpoint = this.endpoint(to);
      if (endpoint === null || this.link(from.id, to).isCut) {
        this.#lose(from, to);
        return;
      }
      trace.number(scheduler.now);
      trace.bytes(bytes);
      trace.print?.(lineOf(scheduler.now, bytes));
      scheduler.after(0, endpoint.life, () => {
        if (!endpoint.events.isRemoved(from.id)) endpoint.events.receive(decodeMessage(bytes));
        else this.#tellRemoved(from);
      });
    });
  }

  #tellRemoved(from: Endpoint): void {
    this.parts.scheduler.after(1, from.life, () => {
      from.events.removedFromCluster();
    });
  }

  call(from: Endpoint, to: RaftId, request: PeerRequest, done: Done<PeerAnswer>): void {
    const { scheduler, world } = this.parts;
    let isOver = false;
    const finish = (error: Error | null, answer: PeerAnswer): void => {
      if (isOver) return;
      isOver = true;
      scheduler.after(0, from.life, () => {
        done(error, answer);
      });
    };
    scheduler.after(request.timeoutMs, world, () => {
      finish(new Error("the peer did not answer in time"), noAnswer);
    });
    const there = this.link(from.id, to);
    scheduler.after(this.arrival(there, channelBulk) - scheduler.now, world, () => {
      const endpoint = this.endpoint(to);
      if (endpoint === null) {
        finish(new Error("connection refused"), noAnswer);
        return;
      }
      if (there.isCut) return;
      scheduler.after(0, endpoint.life, () => {
        serve(endpoint, request, (answer) => {
          const back = this.link(to, from.id);
          if (back.isCut) return;
          scheduler.after(this.arrival(back, channelBulk) - scheduler.now, world, () => {
            finish(null, answer);
          });
        });
      });
    });
  }
}

const noAnswer: PeerAnswer = { status: 0, body: new Uint8Array(0) };

function lineOf(at: number, bytes: Uint8Array): string {
  const { type, from, to, term, index, commit, entries, reject } = decodeMessage(bytes);
  const ends = `${from.toString(16).slice(0, 4)} -> ${to.toString(16).slice(0, 4)}`;
  const rest = `term ${term} index ${index} +${entries.length} commit ${commit}`;
  return `${at.toFixed(3).padStart(12)} ${ends} type ${type} ${rest}${reject ? " reject" : ""}`;
}

function serve(
  endpoint: Endpoint,
  request: PeerRequest,
  answer: (answer: PeerAnswer) => void,
): void {
  const path = request.path.split("?")[0]!;
  const service = endpoint.services.find(
    (s) =>
      s.method === request.method &&
      (s.path.endsWith("/") ? path.startsWith(s.path) : path === s.path),
  );
  if (service === undefined) {
    answer({ status: 404, body: new Uint8Array(0) });
    return;
  }
  const { authorization = "", body = new Uint8Array(0) } = request;
  service.handle({ path: request.path, body, authorization }, answer);
}

class SimTransport implements PeerTransport {
  readonly #network: Network;
  readonly #endpoint: Endpoint;
  readonly #known = new Set<RaftId>();

  constructor(network: Network, endpoint: Endpoint) {
    this.#network = network;
    this.#endpoint = endpoint;
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.#known.has(message.to)) this.#network.transmit(this.#endpoint, message);
    }
  }

  sendSnapshot(to: RaftId, source: SnapshotSource): void {
    sendSnapshot(this.#network, this.#endpoint, to, source);
  }

  addPeer(id: RaftId): void {
    this.#known.add(id);
  }

  addRemote(id: RaftId): void {
    this.#known.add(id);
  }

  updatePeer(): void {
    // Addresses mean nothing here.
  }

  removePeer(id: RaftId): void {
    this.#known.delete(id);
  }

  activeSince(id: RaftId): number | null {
    const other = this.#network.endpoint(id);
    if (other === null || !this.#known.has(id)) return null;
    const there = this.#network.link(this.#endpoint.id, id);
    const back = this.#network.link(id, this.#endpoint.id);
    if (there.isCut || back.isCut) return null;
    return Math.max(other.since, this.#endpoint.since, there.since, back.since);
  }

  call(id: RaftId, request: PeerRequest, done: Done<PeerAnswer>): void {
    this.#network.call(this.#endpoint, id, request, done);
  }

  stop(done: () => void): void {
    done();
  }
}
