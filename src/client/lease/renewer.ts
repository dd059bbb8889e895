// Renews all leases of a client over one stream.
//
//                 first lease                         answer
//      ┌──────┐ ──────────────▶ ┌──────┐ ◀──────────────────────── (renewed, or gone)
//      │ none │                 │ open │ ─┐
//      └──────┘ ◀────────────── └──────┘  │ broken, ended, or an answer is overdue
//          ▲      last lease        ▲     ▼
//          │                        │  ┌─────────┐
//          └────────────────────────┴──│ waiting │
//              last lease    back-off  └─────────┘
//
// One lease is due (to be sent), asked (sent, answer outstanding) or resting (until a third of its
// TTL has passed since it was sent).
//
// RN1  A lease counts as held until one TTL after the sending of the last request that was answered
//      (before any answer: after the grant was asked for): the server's TTL began later, so a
//      holder never trusts a lease that may be gone. At that moment, not before and not later, it
//      is lost, unless the server said earlier that it is gone.
// RN2  One request per lease is outstanding on a stream at most, whatever number of holders it has:
//      an answer belongs to the last sending of its lease.
// RN3  A stream that owes answers and brings none for a while is served by a member that hangs: it
//      is given up, and all that was asked is asked again elsewhere. Renewing twice does no harm.
//      While answers come, however late, it stays: asking again would only add to the load.
// RN4  Answers come in the order of requests. If a stream ends because of a lease (permission to
//      the keys of one), then it is the first unanswered one, and only that one is lost.
// RN5  Held in memory are the leases alone, and per holder a few answers (keep-alive.ts).
import { grpcCode } from "../../base/grpc-code.ts";
import { IndexedHeap, type HeapItem } from "../../base/heap.ts";
import { errLeaseNotFound } from "../../base/etcd-errors.ts";
import { decodeLeaseGrant, encodeLeaseId, type LeaseGrant } from "../../codec/client/lease.ts";
import type { CallStream, Caller, Method } from "../caller.ts";
import type { ClientClock } from "../clock.ts";
import { ClientClosedError, EtcdError, LeaseNotFoundError } from "../errors.ts";
import { StreamBackoff } from "../stream-backoff.ts";
import type { KeepAliveHandle } from "./keep-alive.ts";
import { leaseIdText } from "./lease-id.ts";

/** A lease granted elsewhere has no known TTL: without any answer it is lost after this. */
const firstAnswerMsMax = 10_000;
/** Bounds of how long a stream may owe answers in silence (RN3). */
const overdueMsMin = 500;
const overdueMsMax = 5_000;
const renewalsPerTtl = 3;

export const keepAliveMethod: Method<bigint, LeaseGrant> = {
  path: "/etcdserverpb.Lease/LeaseKeepAlive",
  retry: "read",
  encode: encodeLeaseId,
  decode: decodeLeaseGrant,
};

interface Renewal extends HeapItem {
  readonly id: bigint;
  /** 0: not known yet. */
  ttlMs: number;
  /** When it is lost (RN1). */
  lostAt: number;
  /** When it is due. */
  dueAt: number;
  /** When the outstanding request was sent; -1: none. */
  askedAt: number;
  readonly holders: Set<KeepAliveHandle>;
}

export class Renewer {
  readonly #caller: Caller;
  readonly #clock: ClientClock;
  readonly #backoff: StreamBackoff;
  readonly #renewals = new Map<bigint, Renewal>();
  /** By the time at which something has to be done about it. */
  readonly #agenda = new IndexedHeap<Renewal>();
  /** Asked and not answered, in the order of sending (RN4). */
  readonly #asked = new Map<bigint, Renewal>();
  #stream: CallStream<bigint> | null = null;
  /** When the stream was opened or brought an answer last. */
  #heardAt = 0;
  #reopening: { cancel(): void } | null = null;
  #alarm: { cancel(): void } | null = null;
  #alarmAt = Infinity;
  #lastError: Error | null = null;

  constructor(caller: Caller, clock: ClientClock, random: () => number = Math.random) {
    this.#caller = caller;
    this.#clock = clock;
    this.#backoff = new StreamBackoff(random);
    caller.closed.addEventListener("abort", () => {
      this.#close();
    });
  }

  /** `known`: what this client granted, and when it asked for it. */
  add(handle: KeepAliveHandle, known: { ttlMs: number; askedAt: number } | undefined): void {
    if (this.#caller.closed.aborted) {
      handle.lose(new ClientClosedError());
      return;
    }
    let renewal = this.#renewals.get(handle.id);
    if (renewal === undefined) {
      renewal = this.#start(handle.id, known);
      renewal.holders.add(handle);
      this.#renewals.set(handle.id, renewal);
      this.#plan(renewal);
      this.#open();
    } else renewal.holders.add(handle);
  }

  remove(handle: KeepAliveHandle): void {
    const renewal = this.#renewals.get(handle.id);
    if (renewal === undefined) return;
    renewal.holders.delete(handle);
    if (renewal.holders.size === 0) this.#forget(renewal);
  }

  /** This client revoked the lease. */
  revoked(id: bigint): void {
    const renewal = this.#renewals.get(id);
    if (renewal !== undefined) this.#lose(renewal, gone());
  }

  #start(id: bigint, known: { ttlMs: number; askedAt: number } | undefined): Renewal {
    const now = this.#clock.now();
    const ttlMs = known?.ttlMs ?? 0;
    const lostAt = known === undefined ? now + firstAnswerMsMax : known.askedAt + ttlMs;
    const shared = { askedAt: -1, holders: new Set<KeepAliveHandle>() };
    return { id, ttlMs, lostAt, dueAt: now, ...shared, heapKey: 0, heapIndex: -1 };
  }

  #open(): void {
    if (this.#stream !== null || this.#reopening !== null) {
      this.#work();
      return;
    }
    // What an old stream still says is not heard: its answers belong to older requests (RN2).
    const isCurrent = (): boolean => this.#stream === stream;
    const stream = this.#caller.open(keepAliveMethod, {
      message: (answer) => {
        if (isCurrent()) this.#answered(answer);
      },
      ended: () => {
        if (isCurrent()) this.#broken(null);
      },
      failed: (error) => {
        if (isCurrent()) this.#broken(error);
      },
    });
    this.#stream = stream;
    this.#heardAt = this.#clock.now();
    for (const renewal of this.#renewals.values()) this.#plan(renewal);
    this.#work();
  }

  #answered(answer: LeaseGrant): void {
    this.#backoff.reset();
    this.#lastError = null;
    this.#heardAt = this.#clock.now();
    const renewal = this.#asked.get(answer.id);
    if (renewal === undefined) return; // nobody holds it any more
    this.#asked.delete(answer.id);
    if (answer.ttlSeconds <= 0) {
      this.#lose(renewal, gone());
      return;
    }
    renewal.ttlMs = answer.ttlSeconds * 1_000;
    renewal.lostAt = renewal.askedAt + renewal.ttlMs; // RN1
    renewal.dueAt = renewal.askedAt + renewal.ttlMs / renewalsPerTtl;
    renewal.askedAt = -1;
    this.#plan(renewal);
    for (const holder of renewal.holders) holder.renewed(answer);
    this.#rearm();
  }

  #broken(error: Error | null): void {
    this.#stream = null;
    this.#lastError = error;
    if (error instanceof EtcdError && error.code === grpcCode.permissionDenied) {
      const [first] = this.#asked.values();
      if (first !== undefined) this.#lose(first, error); // RN4
    }
    this.#askAgain();
    if (this.#renewals.size === 0 || this.#reopening !== null) return;
    this.#reopening = this.#clock.after(this.#backoff.next(), () => {
      this.#reopening = null;
      this.#open();
    });
    this.#rearm();
  }

  /** What was asked on a stream that is gone is due at once. */
  #askAgain(): void {
    const now = this.#clock.now();
    for (const renewal of this.#asked.values()) {
      renewal.askedAt = -1;
      renewal.dueAt = now;
      this.#plan(renewal);
    }
    this.#asked.clear();
  }

  /** Does what is due now. */
  #work(): void {
    const now = this.#clock.now();
    for (let first = this.#agenda.peek(); first !== undefined; first = this.#agenda.peek()) {
      if (first.heapKey > now) break;
      if (first.lostAt <= now) this.#lose(first, this.#unrenewed(first));
      else if (first.askedAt < 0) this.#ask(first, now);
      else if (this.#heardAt + overdueMs(first.ttlMs) > now) this.#plan(first);
      else this.#overdue();
    }
    this.#rearm();
  }

  #ask(renewal: Renewal, now: number): void {
    const stream = this.#stream;
    if (stream === null) {
      // Asked as soon as there is a stream; until then only its end matters.
      this.#agenda.set(renewal, renewal.lostAt);
      return;
    }
    renewal.askedAt = now;
    this.#asked.set(renewal.id, renewal);
    this.#plan(renewal);
    stream.send(renewal.id);
  }

  /** RN3. The next stream is opened at once: the balancer finds another member. */
  #overdue(): void {
    this.#stream?.cancel();
    this.#stream = null;
    this.#askAgain();
    this.#open();
  }

  #plan(renewal: Renewal): void {
    const { askedAt, ttlMs, dueAt, lostAt } = renewal;
    const next = askedAt < 0 ? dueAt : Math.max(askedAt, this.#heardAt) + overdueMs(ttlMs);
    this.#agenda.set(renewal, Math.min(next, lostAt));
  }

  #lose(renewal: Renewal, reason: Error): void {
    this.#forget(renewal);
    for (const holder of renewal.holders) holder.lose(reason);
  }

  #forget(renewal: Renewal): void {
    this.#renewals.delete(renewal.id);
    this.#asked.delete(renewal.id);
    this.#agenda.remove(renewal);
    if (this.#renewals.size > 0) return;
    this.#stream?.end();
    this.#stream = null;
    this.#reopening?.cancel();
    this.#reopening = null;
    this.#rearm();
  }

  #unrenewed(renewal: Renewal): Error {
    const ttl = renewal.ttlMs > 0 ? renewal.ttlMs : firstAnswerMsMax;
    const text = `lease ${leaseIdText(renewal.id)} was not renewed for ${ttl / 1_000} s`;
    return new LeaseNotFoundError(grpcCode.notFound, text, { cause: this.#lastError });
  }

  /** One timer, for what comes first. */
  #rearm(): void {
    const at = this.#agenda.peek()?.heapKey ?? Infinity;
    if (at >= this.#alarmAt && at !== Infinity) return; // waking early does no harm
    this.#alarm?.cancel();
    this.#alarm = null;
    this.#alarmAt = at;
    if (at === Infinity) return;
    this.#alarm = this.#clock.after(Math.max(0, at - this.#clock.now()), () => {
      this.#alarm = null;
      this.#alarmAt = Infinity;
      this.#work();
    });
  }

  #close(): void {
    const reason = new ClientClosedError();
    this.#stream?.cancel();
    this.#stream = null;
    for (const renewal of [...this.#renewals.values()]) this.#lose(renewal, reason);
  }
}

function overdueMs(ttlMs: number): number {
  return Math.min(Math.max(ttlMs / renewalsPerTtl, overdueMsMin), overdueMsMax);
}

function gone(): Error {
  return new LeaseNotFoundError(errLeaseNotFound.code, errLeaseNotFound.message);
}
