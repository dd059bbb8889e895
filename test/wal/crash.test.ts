import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../src/raft/types.ts";
import { entry, hardState, plain, WalWorld } from "./harness.ts";

/** What a script of appends has done, as its client sees it. */
interface Progress {
  /** Appended entries by index - 1; later ones replace. */
  log: Entry[];
  /** The log as of each ticket. */
  readonly byTicket: Map<number, Entry[]>;
  releasedTo: number;
}

/** Appends dozens of batches of all kinds, pipelined, with conflicts, releases, segment changes. */
function script(world: WalWorld, progress: Progress, startTerm: number): void {
  const opened = world.open({ inlineEntriesMax: 1 });
  if (opened === null || opened instanceof Error) return;
  const { wal } = opened;
  progress.byTicket.clear();
  progress.log = [...progress.log.slice(0, opened.firstIndex - 1), ...opened.entries];
  progress.byTicket.set(0, progress.log);
  const random = world.random.fork(`script ${startTerm}`);
  let term = startTerm;
  let tickets = 0;
  for (let step = 0; step < 60 && world.life.isAlive && world.failure === null; step++) {
    world.run(() => {
      const batch: Entry[] = [];
      let next = progress.log.length + 1;
      if (random.below(8) === 0 && next > progress.releasedTo + 3) {
        next -= 1 + random.below(2); // a new leader replaces the end of the log
        term++;
      }
      for (let n = random.below(4); n >= 0; n--) {
        batch.push(entry(next + batch.length, term, random.below(900)));
      }
      progress.log = [...progress.log.slice(0, next - 1), ...batch];
      tickets++;
      progress.byTicket.set(tickets, progress.log); // known even if the process dies inside
      assert.equal(wal.append(hardState(term, progress.releasedTo), batch), tickets);
    });
    if (random.below(3) > 0) world.settle();
    if (random.below(6) === 0) {
      const durable = progress.byTicket.get(world.durable)!;
      const target = Math.max(
        progress.releasedTo,
        Math.min(durable.length, progress.log.length) - 4,
      );
      progress.releasedTo = Math.max(0, target);
      world.run(() => {
        wal.releaseTo(progress.releasedTo);
      });
    }
  }
  world.settle();
}

/** After a crash: everything reported durable is there, and nothing that was never appended. */
function check(world: WalWorld, progress: Progress, durable: number, what: string): void {
  const opened = world.open();
  if (opened instanceof Error) throw new Error(`${what}: ${opened.message}`);
  assert.ok(opened !== null, what);
  const found = plain(opened.entries);
  const from = opened.firstIndex - 1;
  assert.ok(from <= progress.releasedTo, `${what}: entries above the released index are gone`);
  let isKnown = false;
  for (const [ticket, log] of progress.byTicket) {
    if (ticket < durable) continue;
    const expected = plain(log.slice(from));
    // One append may take several frames, so a part of its entries may be there.
    if (expected.slice(0, found.length).join() === found.join()) {
      const safe = progress.byTicket.get(durable)!;
      const common = safe.filter((e, i) => log[i] === e).length;
      if (found.length >= common - from) isKnown = true;
    }
  }
  assert.ok(isKnown || opened.isNew, `${what}: durable ticket ${durable}, found ${found.length}`);
  if (opened.isNew) assert.equal(durable, 0, what);
  const { wal } = opened;
  progress.log = [...progress.log.slice(0, from), ...opened.entries];
  // The log goes on where it was recovered, and this survives as well.
  const more = entry(progress.log.length + 1, 1000, 100);
  progress.log = [...progress.log, more];
  world.run(() => wal.append(hardState(1000, 0), [more]));
  world.settle();
  assert.equal(world.durable, 1, what);
  world.crash();
  const again = world.mustOpen();
  assert.deepEqual(plain(again.entries), plain(progress.log.slice(again.firstIndex - 1)), what);
  assert.equal(again.isTailTorn, false, what);
}

function freshProgress(): Progress {
  return { log: [], byTicket: new Map([[0, []]]), releasedTo: 0 };
}

test("a crash at every disk operation loses nothing that was reported durable", () => {
  const dry = new WalWorld(5);
  const dryProgress = freshProgress();
  script(dry, dryProgress, 1);
  const operations = dry.disk.operations;
  assert.ok(operations > 100, `${operations} operations`);
  for (let at = 0; at < operations; at++) {
    for (const seed of [5, 6]) {
      const world = new WalWorld(seed);
      const progress = freshProgress();
      world.disk.fault = (operation) => (operation === at ? "crash" : null);
      script(world, progress, 1);
      world.disk.fault = () => null;
      const { durable } = world;
      world.crash();
      check(world, progress, durable, `crash at operation ${at}, seed ${seed}`);
    }
  }
});

test("power loss between operations loses nothing that was reported durable", () => {
  for (let seed = 100; seed < 500; seed++) {
    const world = new WalWorld(seed);
    const progress = freshProgress();
    const operations = 20 + world.random.below(200);
    world.disk.fault = (operation) => {
      if (operation === operations) {
        // Somewhere in the middle of the operations under way, not at the beginning of one.
        const { life } = world;
        world.scheduler.after(world.random.below(1000) / 1000, life, () => {
          life.isAlive = false;
        });
      }
      return null;
    };
    script(world, progress, 1);
    world.disk.fault = () => null;
    const { durable } = world;
    world.crash();
    check(world, progress, durable, `seed ${seed}`);
  }
});

test("an error at every disk operation is reported once, and nothing after it is durable", () => {
  const dry = new WalWorld(5);
  script(dry, freshProgress(), 1);
  const operations = dry.disk.operations;
  for (let at = 0; at < operations; at++) {
    for (const fault of ["EIO", "ENOSPC", "short"] as const) {
      const world = new WalWorld(5);
      const progress = freshProgress();
      world.disk.fault = (operation) => (operation === at ? fault : null);
      script(world, progress, 1);
      world.disk.fault = () => null;
      const { durable } = world;
      world.crash();
      check(world, progress, durable, `${fault} at operation ${at}`);
    }
  }
});

test("after a failed write no further write is begun", () => {
  const world = new WalWorld(1);
  const { wal } = world.mustOpen({ inlineEntriesMax: 0 });
  world.disk.fault = (_, name) => (name === "writeDurable" ? "EIO" : null);
  world.run(() => wal.append(hardState(1, 0), [entry(1, 1, 10)]));
  world.settle();
  assert.match(world.failure!.message, /EIO/);
  world.disk.fault = () => null;
  const before = world.disk.operations;
  world.run(() => wal.append(hardState(1, 0), [entry(2, 1, 10)]));
  world.settle();
  assert.equal(world.disk.operations, before);
  assert.equal(world.durable, 0);
});
