import assert from "node:assert/strict";
import { test } from "node:test";
import { leaseLimits, Lessor } from "../../src/server/lease/lessor.ts";
import { FakeClock, FakeTurn } from "../watch/fakes.ts";

const electionMs = 1000;
const id = 7n;

/** The lessors of three members; what the primary checkpoints is applied by all. */
class Lessors {
  readonly clock = new FakeClock();
  readonly turn = new FakeTurn();
  readonly revoked: bigint[] = [];
  readonly all: readonly Lessor[] = [0, 1, 2].map(
    () =>
      new Lessor({
        ...{ clock: this.clock, turn: this.turn, minTtlSeconds: 2 },
        rows: { put: () => undefined, delete: () => undefined },
        proposeRevoke: (lease) => this.revoked.push(lease),
        proposeCheckpoints: (checkpoints) => {
          for (const one of checkpoints) {
            for (const lessor of this.all) lessor.applyCheckpoint(one.id, one.remainingTtl);
          }
        },
      }),
  );

  lead(at: number): void {
    for (const lessor of this.all) lessor.demote();
    this.all[at]!.promote(electionMs);
    this.turn.drain();
  }

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 500) {
      this.clock.advance(500);
      this.turn.drain();
    }
  }
}

// Seen to fail when Promotion counts from the granted TTL, and when the lessor proposes no
// checkpoints: with elections often enough the lease never ends.
test("etcd 13508 (row 48): a lease ends in bounded time however often the leader changes", () => {
  const lessors = new Lessors();
  const ttlSeconds = 1200;
  for (const lessor of lessors.all) assert.equal(lessor.applyGrant(id, ttlSeconds), ttlSeconds);
  // Each leader lasts as long as it takes to checkpoint once, and a little longer.
  const reignMs = leaseLimits.checkpointMs + 5000;
  let passedMs = 0;
  for (let reign = 0; lessors.revoked.length === 0; reign++) {
    assert.ok(passedMs < 2 * ttlSeconds * 1000, "the TTL starts again with each leader");
    lessors.lead(reign % 3);
    lessors.pass(reignMs);
    passedMs += reignMs;
  }
  assert.ok(passedMs >= ttlSeconds * 1000, "never early");
});
