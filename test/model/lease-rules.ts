/**
 * Judges a history of lease events of one member against L1..L3 (reference: reliability promises).
 *
 * L1  The primary proposes a revoke only after the lease's whole TTL passed since it was granted,
 *     renewed or taken over by a promotion.
 * L2  A lease that expired is proposed within a bounded time while the member stays primary.
 * L3  A renewal succeeds only for a lease that exists and is not past its expiry; "missing" is said
 *     only of a lease that does not exist at that moment.
 */
interface Known {
  ttlMs: number;
  /** Earliest time it may be proposed. */
  deadline: number;
  proposedAt: number;
}

export interface LeaseRuleBounds {
  /** Longest allowed time from expiry to proposal, milliseconds. */
  lateMsMax: number;
}

export class LeaseRules {
  readonly violations: string[] = [];
  private readonly bounds: LeaseRuleBounds;
  private readonly leases = new Map<bigint, Known>();
  private primarySince = -1;

  constructor(bounds: LeaseRuleBounds) {
    this.bounds = bounds;
  }

  promoted(at: number, extensionMs: number): void {
    this.primarySince = at;
    for (const lease of this.leases.values()) {
      lease.deadline = at + lease.ttlMs + extensionMs;
      lease.proposedAt = -1;
    }
  }

  demoted(): void {
    this.primarySince = -1;
  }

  granted(at: number, id: bigint, ttl: number): void {
    if (this.leases.has(id)) this.violations.push(`grant of existing lease ${id}`);
    this.leases.set(id, { ttlMs: ttl * 1000, deadline: at + ttl * 1000, proposedAt: -1 });
  }

  revoked(id: bigint): void {
    if (!this.leases.delete(id)) this.violations.push(`revoke of missing lease ${id}`);
  }

  renewed(at: number, id: bigint, ttl: number): void {
    const lease = this.leases.get(id);
    if (lease === undefined) {
      this.violations.push(`L3: renewed missing lease ${id}`);
      return;
    }
    if (ttl * 1000 !== lease.ttlMs) this.violations.push(`L3: renewal of ${id} said TTL ${ttl}`);
    if (lease.proposedAt >= 0) this.violations.push(`L3: renewed expired lease ${id}`);
    lease.deadline = at + lease.ttlMs;
  }

  saidMissing(id: bigint): void {
    if (this.leases.has(id)) this.violations.push(`L3: existing lease ${id} called missing`);
  }

  proposed(at: number, id: bigint): void {
    const lease = this.leases.get(id);
    if (this.primarySince < 0) this.violations.push(`L1: proposal for ${id} while not primary`);
    if (lease === undefined) {
      this.violations.push(`proposal for missing lease ${id}`);
      return;
    }
    if (at < lease.deadline) {
      this.violations.push(`L1: ${id} proposed ${lease.deadline - at} ms early`);
    }
    lease.proposedAt = at;
  }

  /** Looks for leases that should have been proposed by now. */
  checkLate(at: number): void {
    if (this.primarySince < 0) return;
    for (const [id, lease] of this.leases) {
      if (lease.proposedAt < 0 && at > lease.deadline + this.bounds.lateMsMax) {
        this.violations.push(`L2: ${id} not proposed ${at - lease.deadline} ms after expiry`);
      }
    }
  }
}
