/**
 * Leases of this member.
 *
 * LS1  Which leases exist, their TTL and their keys follow from applied entries alone: the apply
 *      functions read no clock, and no other function adds or removes a lease.
 * LS2  A lease leaves only through applyRevoke. Its expiry only makes the primary propose that.
 * LS3  Only the primary has expiry times; everywhere else a lease is good forever (Infinity).
 * LS4  A lease is renewed only while it exists and is not past its expiry; a renewal that came
 *      later waits for the revoke and then says "missing", or ends when this member stops being
 *      primary.
 * LS5  A key is attached to at most one lease: keyLease(k) = l exactly when l.keys holds k.
 * LS6  After a promotion every lease has at least its full (or checkpointed) TTL left, plus the
 *      given extension, since renewals sent to the former primary may not be known here.
 * LS7  A lease with a checkpoint is renewed only after the log has cleared it: a later leader would
 *      count from the checkpoint, and end the lease early.
 */
import type { EtcdError } from "../../base/etcd-errors.ts";
import { errLeaseExist, errLeaseNotFound, errLeaseTTLTooLarge } from "../../base/etcd-errors.ts";
import { assert } from "../../base/assert.ts";
import { emptyBytes, fromBinaryString, toBinaryString } from "../../base/bytes.ts";
import { Histogram, doubling } from "../../base/metrics.ts";
import type { Clock, Timer, Turn } from "../../base/ports.ts";
import type { View } from "../backend/backend.ts";
import type { RowWriter } from "../backend/rows.ts";
import type { LeaseCheckpoint } from "../../codec/lease.ts";
import type { LeaseAttachments } from "../mvcc/types.ts";
import { ExpiryQueue } from "./expiry-queue.ts";
import { Lease } from "./lease.ts";
import type { RenewWaiter } from "./lease.ts";
import { decodeLeaseRow, encodeLeaseRow, leaseRowKey } from "./lease-row.ts";
import { Promotion } from "./promotion.ts";

export const leaseLimits = {
  /** etcd's bound; seconds. */
  ttlSecondsMax: 9_000_000_000,
  /** Expired leases proposed for revocation per second, in rounds: small ones, for short turns. */
  revokesPerSecondMax: 1000,
  revokeRoundMs: 100,
  /** A proposed revoke that had no effect (lost, refused) is proposed again after this. */
  revokeRetryMs: 3000,
  /** What is left of a lease longer than this is put into the log about as often (as in etcd). */
  checkpointMs: 300_000,
  /** Checkpoints in one entry. */
  checkpointsMax: 1000,
  /** Requests of one keep-alive stream that wait behind one that cannot be answered yet. */
  keepAliveQueueMax: 10_000,
} as const;

/** Results of {@link Lessor.renew} that are not a TTL. */
export const renewed = { missing: 0, notPrimary: -1, waiting: -2, checkpointed: -3 } as const;

/** etcd's least TTL in seconds: 1.5 election timeouts, rounded up. */
export function minLeaseTtlSeconds(electionTicks: number, tickMs: number): number {
  return Math.ceil((Math.floor((3 * electionTicks) / 2) * tickMs) / 1000);
}

export interface LessorDeps {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly rows: RowWriter;
  /** Seconds; see {@link minLeaseTtlSeconds}. */
  readonly minTtlSeconds: number;
  /** The primary found the lease expired: propose to revoke it. Called again while it exists. */
  proposeRevoke(id: bigint): void;
  /** The primary wants the log to know what is left of these leases. */
  proposeCheckpoints(checkpoints: readonly LeaseCheckpoint[]): void;
}

export interface LeaseStatus {
  /** Whole seconds left, rounded towards zero; negative when past expiry. */
  ttl: number;
  grantedTtl: number;
}

/**
 * Of the leases that expire in one second after a promotion, no more than this: a quarter of the
 * revoke rate stays for others.
 */
const promotedPerSecondMax = (leaseLimits.revokesPerSecondMax * 3) / 4;

/** What a lease without an expiry time shows as its remaining seconds: etcd's largest duration. */
const foreverSeconds = 9_223_372_036;

export class Lessor implements LeaseAttachments {
  private readonly deps: LessorDeps;
  private readonly leases = new Map<bigint, Lease>();
  private readonly keyLease = new Map<string, Lease>();
  private readonly queue = new ExpiryQueue();
  private readonly expired: Lease[] = [];
  /** Walks over all leases once per `checkpointMs`. */
  private checkpointWalk: Iterator<Lease> | null = null;
  private timer: Timer | null = null;
  private primary = false;
  /** Set while not every lease has its expiry time yet. */
  private promotion: Promotion | null = null;
  /** Of granted leases since the start, in seconds. */
  readonly grantedTtls = new Histogram(doubling(1, 24));
  /** Counters since start. */
  readonly counters = { granted: 0, revoked: 0, renewed: 0, expired: 0 };

  constructor(deps: LessorDeps) {
    this.deps = deps;
  }

  get size(): number {
    return this.leases.size;
  }

  get isPrimary(): boolean {
    return this.primary;
  }

  /** Applies a LeaseGrant. Returns the TTL in seconds that was granted. */
  applyGrant(id: bigint, ttl: number): number | EtcdError {
    if (id === 0n) return errLeaseNotFound;
    if (ttl > leaseLimits.ttlSecondsMax) return errLeaseTTLTooLarge;
    if (this.leases.has(id)) return errLeaseExist;
    const lease = this.add(id, ttl);
    this.persist(lease);
    if (this.primary) this.refresh(lease, lease.ttl * 1000);
    this.counters.granted++;
    this.grantedTtls.observe(lease.ttl);
    return lease.ttl;
  }

  /**
   * Applies a LeaseRevoke: the lease and its attachments are gone when this returns. The caller
   * deletes the returned keys, in this (bytewise) order, in one transaction.
   */
  applyRevoke(id: bigint): Uint8Array[] | EtcdError {
    const lease = this.leases.get(id);
    if (lease === undefined) return errLeaseNotFound;
    const keys = lease.keys === null ? [] : [...lease.keys].sort();
    for (const key of keys) this.keyLease.delete(key);
    lease.keys = null;
    this.leases.delete(id);
    this.queue.remove(lease);
    this.deps.rows.delete("lease", leaseRowKey(id));
    this.counters.revoked++;
    this.endWaiters(lease, "missing");
    return keys.map(fromBinaryString);
  }

  /** Applies one LeaseCheckpoint: `remainingTtl` seconds count from the next promotion on. */
  applyCheckpoint(id: bigint, remainingTtl: number): void {
    const lease = this.leases.get(id);
    if (lease === undefined) return;
    lease.remainingTtl = Math.max(0, remainingTtl);
    lease.isCheckpointed = lease.remainingTtl > 0;
    if (!lease.isCheckpointed) lease.isClearing = false;
    this.persist(lease);
  }

  /**
   * A checkpoint of 0 was proposed (true) or that failed (false). No other checkpoint of the lease
   * is proposed until it is applied: then none can follow it (LS7).
   */
  clearing(id: bigint, isUnderWay: boolean): void {
    const lease = this.leases.get(id);
    if (lease !== undefined) lease.isClearing = isUnderWay;
  }

  /**
   * Takes the leases of an installed snapshot instead of these. Their attachments come with the
   * keys.
   */
  reload(view: View): void {
    this.demote();
    this.leases.clear();
    this.keyLease.clear();
    view.range("lease", emptyBytes, null, (_key, value) => {
      this.restore(value);
      return true;
    });
  }

  /** Loads one row of the `lease` bucket at start. Throws on a damaged row. */
  restore(value: Uint8Array): void {
    assert(!this.primary, "leases are restored before the first promotion");
    const row = decodeLeaseRow(value);
    if (row === null || row.id === 0n) throw new Error("Cannot read lease row: damaged");
    const lease = this.add(row.id, row.ttl);
    lease.remainingTtl = Math.max(0, row.remainingTtl);
    lease.isCheckpointed = lease.remainingTtl > 0;
  }

  attach(id: bigint, key: Uint8Array): void {
    const lease = this.leases.get(id);
    assert(lease !== undefined, () => `attach to missing lease ${id}`);
    const name = toBinaryString(key);
    const old = this.keyLease.get(name);
    if (old === lease) return;
    if (old !== undefined) old.keys!.delete(name); // LS5
    (lease.keys ??= new Set()).add(name);
    this.keyLease.set(name, lease);
  }

  /** Nothing happens when the key is not attached to this lease. */
  detach(id: bigint, key: Uint8Array): void {
    if (this.keyLease.size === 0) return;
    const name = toBinaryString(key);
    const lease = this.keyLease.get(name);
    if (lease === undefined || lease.id !== id) return;
    lease.keys!.delete(name);
    this.keyLease.delete(name);
  }

  leaseOf(key: Uint8Array): bigint {
    if (this.keyLease.size === 0) return 0n;
    return this.keyLease.get(toBinaryString(key))?.id ?? 0n;
  }

  exists(id: bigint): boolean {
    return this.leases.has(id);
  }

  /**
   * Starts a fresh full TTL. Returns that TTL in seconds, or one of {@link renewed}; with `waiting`
   * the waiter is called later, unless {@link cancelRenew} comes first (LS4). `checkpointed`: apply
   * a checkpoint of 0 first, then ask again (LS7).
   */
  renew(id: bigint, waiter: RenewWaiter): number {
    if (!this.primary) return renewed.notPrimary;
    const lease = this.leases.get(id);
    if (lease === undefined) return renewed.missing;
    const now = this.deps.clock.now();
    if (lease.expiresAt <= now) {
      (lease.waiters ??= []).push(waiter);
      return renewed.waiting;
    }
    if (lease.isCheckpointed) return renewed.checkpointed;
    lease.expiresAt = now + lease.ttl * 1000;
    this.queue.update(lease);
    this.counters.renewed++;
    return lease.ttl;
  }

  /** Takes back a renewal that answered `waiting`. */
  cancelRenew(id: bigint, waiter: RenewWaiter): void {
    const lease = this.leases.get(id);
    if (lease === undefined || lease.waiters === null) return;
    lease.waiters = lease.waiters.filter((other) => other !== waiter);
  }

  /** null when there is no such lease. */
  timeToLive(id: bigint): LeaseStatus | null {
    const lease = this.leases.get(id);
    if (lease === undefined) return null;
    const left = this.expiryOf(lease) - this.deps.clock.now();
    const ttl = left === Infinity ? foreverSeconds : Math.trunc(left / 1000);
    return { ttl: ttl === 0 ? 0 : ttl, grantedTtl: lease.ttl };
  }

  /** Attached keys in no particular order. */
  keysOf(id: bigint): Uint8Array[] {
    const keys = this.leases.get(id)?.keys;
    return keys === null || keys === undefined ? [] : Array.from(keys, fromBinaryString);
  }

  /** All ids, soonest expiry first. */
  ids(): bigint[] {
    const all = [...this.leases.values()];
    if (this.primary) all.sort((a, b) => this.expiryOf(a) - this.expiryOf(b));
    return all.map((lease) => lease.id);
  }

  /** This member became leader: from now on it watches expiry. `extensionMs` = election timeout. */
  promote(extensionMs: number): void {
    if (this.primary) return;
    this.primary = true;
    const base = this.deps.clock.now() + extensionMs; // LS6
    this.promotion = new Promotion(this.leases.values(), base, promotedPerSecondMax);
    this.continuePromotion();
    this.schedule();
  }

  /** This member is no longer leader: no lease expires here, waiting renewals end (LS3, LS4). */
  demote(): void {
    if (!this.primary) return;
    this.primary = false;
    this.promotion = null;
    this.checkpointWalk = null;
    this.timer?.cancel();
    this.timer = null;
    this.queue.clear();
    for (const lease of this.leases.values()) {
      lease.expiresAt = Infinity;
      lease.isCheckpointed = lease.remainingTtl > 0;
      lease.isClearing = false;
      this.endWaiters(lease, "notPrimary");
    }
  }

  private continuePromotion(): void {
    const { promotion } = this;
    if (promotion === null) return;
    const isDone = promotion.step((lease) => {
      this.queue.update(lease);
    });
    if (isDone) {
      this.promotion = null;
      return;
    }
    this.deps.turn.next(() => {
      if (this.promotion === promotion) this.continuePromotion();
    });
  }

  /** Infinity while this member is not the primary. */
  private expiryOf(lease: Lease): number {
    if (lease.expiresAt !== Infinity || this.promotion === null) return lease.expiresAt;
    return this.promotion.dueAt(lease);
  }

  private add(id: bigint, ttl: number): Lease {
    const lease = new Lease(id, Math.max(ttl, this.deps.minTtlSeconds));
    this.leases.set(id, lease);
    return lease;
  }

  private persist(lease: Lease): void {
    const value = encodeLeaseRow(lease.id, lease.ttl, lease.remainingTtl);
    this.deps.rows.put("lease", leaseRowKey(lease.id), value);
  }

  private refresh(lease: Lease, leftMs: number): void {
    lease.expiresAt = this.deps.clock.now() + leftMs;
    this.queue.update(lease);
  }

  private endWaiters(lease: Lease, outcome: "missing" | "notPrimary"): void {
    const waiters = lease.waiters;
    if (waiters === null) return;
    lease.waiters = null;
    for (const waiter of waiters) waiter.renewEnded(lease.id, outcome);
  }

  private schedule(): void {
    this.timer = this.deps.clock.after(leaseLimits.revokeRoundMs, () => {
      this.schedule();
      this.proposeExpired();
      this.proposeCheckpoints();
    });
  }

  /** One round: its share of a walk over all leases that takes `checkpointMs`. */
  private proposeCheckpoints(): void {
    const { checkpointMs, revokeRoundMs, checkpointsMax } = leaseLimits;
    const rounds = checkpointMs / revokeRoundMs;
    const found: LeaseCheckpoint[] = [];
    const now = this.deps.clock.now();
    for (let left = Math.ceil(this.leases.size / rounds); left > 0; left--) {
      this.checkpointWalk ??= this.leases.values();
      const next = this.checkpointWalk.next();
      if (next.done === true) {
        this.checkpointWalk = null;
        break;
      }
      const { id, ttl, remainingTtl, expiresAt, isClearing } = next.value;
      const known = remainingTtl > 0 ? remainingTtl : ttl;
      const seconds = Math.ceil((expiresAt - now) / 1000);
      const isLong = known * 1000 > checkpointMs && expiresAt !== Infinity;
      if (!isLong || isClearing || seconds <= 0 || seconds >= known) continue;
      next.value.isCheckpointed = true;
      found.push({ id, remainingTtl: seconds });
      if (found.length === checkpointsMax) break;
    }
    if (found.length > 0) this.deps.proposeCheckpoints(found);
  }

  /** One round: bounded, so that mass expiry neither blocks the turn nor floods the log. */
  private proposeExpired(): void {
    const countMax = (leaseLimits.revokesPerSecondMax * leaseLimits.revokeRoundMs) / 1000;
    const { clock } = this.deps;
    this.queue.takeExpired(clock.now(), countMax, leaseLimits.revokeRetryMs, this.expired);
    for (const lease of this.expired) {
      this.counters.expired++;
      this.deps.proposeRevoke(lease.id);
    }
    this.expired.length = 0;
  }
}
