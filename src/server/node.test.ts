import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { SimDisk } from "../../test/sim/disk.ts";
import { emptyBackend, SimMember, type BackendState } from "../../test/sim/member.ts";
import { Scheduler } from "../../test/sim/scheduler.ts";

const walSettings = { segmentBytes: 16384, firstSegmentBytes: 16384, paddingBytes: 512 };

class World {
  readonly scheduler = new Scheduler();
  readonly random = createRandom(3);
  readonly disk = new SimDisk(this.scheduler, this.random.fork("disk"));
  durable: BackendState = emptyBackend;

  start(options: { inlineEntriesMax?: number; applyMs?: number } = {}): SimMember {
    const { applyMs = 0, ...settings } = options;
    return new SimMember({
      scheduler: this.scheduler,
      disk: this.disk,
      random: this.random.fork("member"),
      durable: this.durable,
      onCommit: (state) => {
        this.durable = state;
      },
      walSettings: { ...walSettings, ...settings },
      applyMs,
    });
  }

  startLeader(options: { inlineEntriesMax?: number; applyMs?: number } = {}): SimMember {
    const member = this.start(options);
    const isLeader = this.scheduler.runUntil(() => member.node?.isLeader === true, 5000);
    assert.ok(isLeader, member.failure?.message ?? "no leader");
    return member;
  }

  in(member: SimMember, run: () => void): void {
    let isDone = false;
    this.scheduler.after(0, member.life, () => {
      run();
      isDone = true;
    });
    this.scheduler.runUntil(() => isDone);
  }
}

test("a new member leads within its first turns, without waiting for an election timeout", () => {
  const world = new World();
  world.startLeader();
  assert.ok(world.scheduler.now < 100, `${world.scheduler.now} ms`);
});

test("proposals of one turn share one write, in order", () => {
  const world = new World();
  const member = world.startLeader({ inlineEntriesMax: 0 });
  world.scheduler.runUntil(() => member.node!.appliedIndex === 2); // the term's first entry
  const { writes } = member.node!.wal.counters;
  const answered: number[] = [];
  world.in(member, () => {
    for (let n = 1; n <= 50; n++) member.propose(n, 10, () => answered.push(n));
    assert.equal(answered.length, 0);
  });
  world.scheduler.runUntil(() => answered.length === 50);
  assert.equal(member.node!.wal.counters.writes, writes + 1);
  assert.deepEqual(member.state.values, answered);
});

test("a proposal before there is a leader is refused with etcd's error", () => {
  const world = new World();
  const member = world.start({ inlineEntriesMax: 0 });
  world.scheduler.runUntil(() => member.node !== null);
  assert.equal(member.tryPropose(1, 1, () => undefined)?.message, "etcdserver: no leader");
});

test("slow applying goes on over turns, and a large backlog refuses proposals", () => {
  const world = new World();
  const member = world.startLeader({ applyMs: 0.1, inlineEntriesMax: 0 });
  let answered = 0;
  let ticks = 0;
  world.in(member, () => {
    for (let n = 1; n <= 6000; n++) member.propose(n, 1, () => answered++);
  });
  const beat = (): void => {
    ticks++;
    world.scheduler.after(1, member.life, beat);
  };
  world.in(member, beat);
  const isBehind = (): boolean => member.node!.commitIndex - member.node!.appliedIndex > 5000;
  assert.ok(world.scheduler.runUntil(isBehind));
  const refusal = member.tryPropose(7000, 1, () => undefined);
  assert.equal(refusal?.message, "etcdserver: too many requests");
  ticks = 0;
  world.scheduler.runUntil(() => answered === 6000);
  assert.ok(member.applyTurnMsMax < 10, `${member.applyTurnMsMax} ms in one turn`);
  assert.ok(ticks > 20, `${ticks} other events while 500 ms were spent applying`);
  assert.equal(
    member.tryPropose(7000, 1, () => undefined),
    null,
  );
});

test("applying over the warning bound is counted, once per look at the clock", () => {
  const world = new World();
  const member = world.startLeader({ applyMs: 30, inlineEntriesMax: 0 });
  world.scheduler.runUntil(() => member.node!.appliedIndex === 2);
  assert.equal(member.node!.slowApplies, 0);
  let answered = 0;
  world.in(member, () => {
    for (let n = 1; n <= 3; n++) member.propose(n, 1, () => answered++);
  });
  world.scheduler.runUntil(() => answered === 3); // 90 ms: below the bound of 100
  assert.equal(member.node!.slowApplies, 0);
  world.in(member, () => {
    for (let n = 4; n <= 7; n++) member.propose(n, 1, () => answered++);
  });
  world.scheduler.runUntil(() => answered === 7);
  assert.equal(member.node!.slowApplies, 1);
});

test("a failed write ends the member: nothing is answered, waiters get an error", () => {
  for (const inlineEntriesMax of [0, 5]) {
    const world = new World();
    const member = world.startLeader({ inlineEntriesMax });
    world.scheduler.runUntil(() => member.node!.appliedIndex === 2); // the term's first entry
    world.disk.fault = (_, name) => (name === "writeDurable" ? "ENOSPC" : null);
    let answered = 0;
    world.in(member, () => {
      for (let n = 1; n <= 3; n++) member.propose(n, 1, () => answered++);
    });
    world.scheduler.runUntil(() => !member.life.isAlive);
    assert.match(member.failure!.message, /ENOSPC/);
    assert.equal(answered, 0);
    assert.deepEqual(member.failures, Array(3).fill("etcdserver: server stopped"));
    assert.equal(member.tryPropose(9, 1, () => undefined)?.message, "etcdserver: server stopped");
  }
});

test("a WAL that ends before the backend's consistent index refuses to start", () => {
  const world = new World();
  const member = world.startLeader();
  world.in(member, () => member.propose(1, 1, () => undefined));
  world.scheduler.runUntil(() => member.state.values.length === 1);
  member.life.isAlive = false;
  world.durable = { ...member.state, index: 1000 };
  const again = world.start();
  world.scheduler.runUntil(() => again.failure !== null);
  assert.match(
    again.failure!.message,
    /^Cannot start: the WAL in "\/data\/member\/wal" ends at index 3, before the backend's consis/,
  );
});

test("a backend older than the WAL's first entry refuses to start", () => {
  const world = new World();
  const member = world.startLeader();
  for (let n = 1; n <= 300; n++) {
    world.in(member, () => member.propose(n, 200, () => undefined));
    world.scheduler.runUntil(() => member.state.values.length === n);
  }
  const hasReleased = (): boolean => member.node!.wal.firstIndex > 50;
  assert.ok(world.scheduler.runUntil(hasReleased, world.scheduler.now + 5000));
  world.scheduler.runUntil(() => false, world.scheduler.now + 100); // the files leave one by one
  member.life.isAlive = false;
  world.durable = emptyBackend;
  const again = world.start();
  world.scheduler.runUntil(() => again.failure !== null);
  assert.match(
    again.failure!.message,
    /begins at index \d+, but the backend's consistent index is 0/,
  );
});

test("a restart continues from backend and WAL, and keeps trimmed entries out of memory", () => {
  const world = new World();
  let member = world.startLeader();
  for (let n = 1; n <= 100; n++) {
    world.in(member, () => member.propose(n, 500, () => undefined));
    world.scheduler.runUntil(() => member.state.values.length === n);
    if (n % 20 > 0) continue;
    world.scheduler.runUntil(() => world.durable.index > 0, world.scheduler.now + 300);
    member.life.isAlive = false;
    world.disk.crash();
    member = world.startLeader();
    world.scheduler.runUntil(() => member.state.values.length === n, world.scheduler.now + 1000);
    assert.equal(member.state.values.length, n);
  }
  assert.deepEqual(
    member.state.values,
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
});

test("stop tells every waiter and closes the log after the write under way", () => {
  const world = new World();
  const member = world.startLeader({ inlineEntriesMax: 0 });
  let isStopped = false;
  const reads: (string | undefined)[] = [];
  world.in(member, () => {
    member.propose(1, 1, () => undefined);
    member.node!.gate.read({ ready: (error) => reads.push(error?.message) });
    member.node!.stop(() => {
      isStopped = true;
    });
  });
  world.scheduler.runUntil(() => isStopped);
  assert.deepEqual(member.failures, ["etcdserver: server stopped"]);
  assert.deepEqual(reads, ["etcdserver: server stopped"]);
});
