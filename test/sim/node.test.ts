import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../../src/base/random.ts";
import { SimDisk, type Fault } from "./disk.ts";
import { emptyBackend, SimMember, type BackendState } from "./member.ts";
import { Scheduler } from "./scheduler.ts";

interface Totals {
  acknowledged: number;
  crashes: number;
  failures: number;
  reads: number;
  replayed: number;
}

/** One member under load with crashes and disk errors; after each restart its state is checked. */
function runSeed(seed: number, totals: Totals): string {
  const random = createRandom(seed);
  const scheduler = new Scheduler();
  const disk = new SimDisk(scheduler, random.fork("disk"));
  const load = random.fork("load");
  const acknowledged = new Set<number>();
  let durable: BackendState = emptyBackend;
  let nextValue = 1;
  const walSettings = {
    segmentBytes: 8192,
    firstSegmentBytes: 4096,
    paddingBytes: 512,
    zeroChunkBytes: 2048,
    inlineEntriesMax: load.below(3),
  };
  for (let life = 0; life < 6; life++) {
    const member = new SimMember({
      scheduler,
      disk,
      random: random.fork(`life ${life}`),
      durable,
      onCommit: (state) => {
        assert.ok(state.index >= durable.index, "the backend went back");
        durable = state;
      },
      walSettings,
    });
    const started = scheduler.now;
    const isReady = scheduler.runUntil(() => member.node?.isLeader === true, started + 5000);
    assert.ok(isReady, `seed ${seed}: no leader (${member.failure?.message})`);
    // Everything ever acknowledged must be there as soon as the member answers a read.
    let isRead = false;
    scheduler.after(0, member.life, () => {
      member.node!.gate.read({
        ready: (error) => {
          assert.equal(error, null);
          isRead = true;
          const values = new Set(member.state.values);
          for (const value of acknowledged) {
            assert.ok(values.has(value), `seed ${seed}: ${value} was acknowledged and is lost`);
          }
          assert.equal(values.size, member.state.values.length, "a value was applied twice");
        },
      });
    });
    assert.ok(scheduler.runUntil(() => isRead, scheduler.now + 1000));
    totals.replayed += member.state.index - durable.index;
    // Load until the crash. A client step is an event of its own, like input from a socket.
    const until = scheduler.now + 50 + load.below(600);
    const faultAt = load.below(3) === 0 ? disk.operations + load.below(80) : -1;
    const faults: Fault[] = ["EIO", "ENOSPC", "short", "crash"];
    const fault = faults[load.below(faults.length)]!;
    disk.fault = (operation) => (operation === faultAt ? fault : null);
    const client = (): void => {
      for (let n = load.below(4); n > 0; n--) {
        const value = nextValue++;
        member.propose(value, load.below(400), () => {
          acknowledged.add(value);
          totals.acknowledged++;
        });
      }
      if (load.below(3) === 0) {
        const before = [...acknowledged];
        member.node!.gate.read({
          ready: (error) => {
            if (error !== null) return;
            totals.reads++;
            const values = new Set(member.state.values);
            assert.ok(
              before.every((value) => values.has(value)),
              `seed ${seed}: stale read`,
            );
          },
        });
      }
      scheduler.after(load.below(4), member.life, client);
    };
    scheduler.after(0, member.life, client);
    scheduler.runUntil(() => !member.life.isAlive, until);
    disk.fault = () => null;
    if (member.failure !== null) totals.failures++;
    member.life.isAlive = false;
    disk.crash();
    totals.crashes++;
  }
  return `${acknowledged.size} ${nextValue} ${scheduler.now.toFixed(6)} ${disk.operations}`;
}

test("what was acknowledged is there after every crash, and reads are never stale", () => {
  const totals = { acknowledged: 0, crashes: 0, failures: 0, reads: 0, replayed: 0 };
  for (let seed = 1; seed <= 60; seed++) runSeed(seed, totals);
  // A run in which nothing happened proves nothing.
  assert.ok(totals.acknowledged > 20_000, `${totals.acknowledged} acknowledged`);
  assert.ok(totals.failures > 10, `${totals.failures} disk failures`);
  assert.ok(totals.reads > 3000, `${totals.reads} reads`);
  assert.ok(totals.replayed > 1000, `${totals.replayed} entries replayed`);
});

test("a seed gives the same run twice", () => {
  const totals = { acknowledged: 0, crashes: 0, failures: 0, reads: 0, replayed: 0 };
  assert.equal(runSeed(7, totals), runSeed(7, totals));
});
