import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromBinaryString, toBinaryString } from "../../src/base/bytes.ts";
import { Lessor, renewed } from "../../src/server/lease/lessor.ts";
import { LeaseRules } from "../model/lease-rules.ts";
import { FakeClock, FakeTurn } from "../watch/fakes.ts";

const extensionMs = 1000;

type Command =
  | { kind: "grant" | "attach" | "renew" | "revoke" | "checkpoint"; lease: number; n: number }
  | { kind: "advance"; lease: number; n: number }
  | { kind: "applyProposed" | "flip"; lease: number; n: number };

const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.constantFrom(
    "grant",
    "grant",
    "attach",
    "attach",
    "renew",
    "renew",
    "revoke",
    "advance",
    "advance",
    "applyProposed",
    "flip",
  ),
  lease: fc.integer({ min: 1, max: 6 }),
  n: fc.nat(9),
});

/** One lessor under random commands, with a naive record of keys and the rule checker beside it. */
class World {
  readonly clock = new FakeClock();
  readonly rules = new LeaseRules({ lateMsMax: 501 });
  readonly proposed: bigint[] = [];
  readonly rows = new Map<string, Uint8Array>();
  readonly owner = new Map<string, bigint>();
  readonly lessor = new Lessor({
    clock: this.clock,
    turn: new FakeTurn(),
    rows: {
      put: (_, key, value) => void this.rows.set(toBinaryString(key), value),
      delete: (_, key) => void this.rows.delete(toBinaryString(key)),
    },
    minTtlSeconds: 2,
    proposeCheckpoints: () => undefined,
    proposeRevoke: (id) => {
      this.rules.proposed(this.clock.now(), id);
      this.proposed.push(id);
    },
  });
  waiting = 0;

  run({ kind, lease, n }: Command): void {
    const id = BigInt(lease);
    if (kind === "grant") this.grant(id, n);
    else if (kind === "attach") this.attach(id, String(n));
    else if (kind === "renew") this.renew(id);
    else if (kind === "revoke") this.revoke(id);
    else if (kind === "advance") this.clock.advance(n * 400);
    else if (kind === "applyProposed") for (const old of this.proposed.splice(0)) this.revoke(old);
    else this.flip();
    this.rules.checkLate(this.clock.now());
  }

  private grant(id: bigint, ttl: number): void {
    const granted = this.lessor.applyGrant(id, ttl);
    if (typeof granted === "number") this.rules.granted(this.clock.now(), id, granted);
  }

  private attach(id: bigint, key: string): void {
    if (!this.lessor.exists(id)) {
      const old = this.owner.get(key);
      if (old === undefined) return;
      this.lessor.detach(old, fromBinaryString(key));
      this.owner.delete(key);
      return;
    }
    this.lessor.attach(id, fromBinaryString(key));
    this.owner.set(key, id);
  }

  private renew(id: bigint): void {
    const ttl = this.lessor.renew(id, {
      renewEnded: (ended, outcome) => {
        this.waiting--;
        if (outcome === "missing") assert.equal(this.lessor.exists(ended), false);
      },
    });
    if (ttl > 0) this.rules.renewed(this.clock.now(), id, ttl);
    else if (ttl === renewed.missing) this.rules.saidMissing(id);
    else if (ttl === renewed.waiting) this.waiting++;
  }

  private revoke(id: bigint): void {
    const keys = this.lessor.applyRevoke(id);
    const expected = [...this.owner].filter(([, owner]) => owner === id).map(([key]) => key);
    if (!Array.isArray(keys)) {
      assert.deepEqual(expected, []);
      return;
    }
    assert.deepEqual(keys.map(toBinaryString), expected.sort());
    for (const key of expected) this.owner.delete(key);
    this.rules.revoked(id);
  }

  private flip(): void {
    if (this.lessor.isPrimary) {
      this.lessor.demote();
      this.rules.demoted();
      assert.equal(this.waiting, 0);
    } else {
      this.rules.promoted(this.clock.now(), extensionMs);
      this.lessor.promote(extensionMs);
    }
  }
}

test("lease rules L1 to L3 hold under random grants, renewals, revokes and leader changes", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 120, size: "max" }), (commands) => {
      const world = new World();
      for (const one of commands) world.run(one);
      assert.deepEqual(world.rules.violations, []);
      for (const [key, id] of world.owner) {
        assert.equal(world.lessor.leaseOf(fromBinaryString(key)), id);
      }
      assert.equal(world.rows.size, world.lessor.size);
    }),
    { numRuns: 500 },
  );
});

test("the rule checker finds planted faults", () => {
  const rules = new LeaseRules({ lateMsMax: 500 });
  rules.promoted(0, 0);
  rules.granted(0, 1n, 5);
  rules.proposed(4999, 1n);
  rules.renewed(5000, 1n, 5);
  rules.granted(0, 2n, 5);
  rules.checkLate(5501);
  rules.saidMissing(2n);
  rules.renewed(0, 3n, 5);
  assert.equal(rules.violations.length, 5);
});
