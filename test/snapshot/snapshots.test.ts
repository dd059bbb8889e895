import assert from "node:assert/strict";
import { test } from "node:test";
import { concat } from "../../src/base/bytes.ts";
import { SnapshotExports } from "../../src/server/snapshot/snapshots.ts";
import type { SnapshotStream } from "../../src/server/snapshot/snapshot.ts";
import { exportView } from "../sim/image.ts";
import { Rig } from "../mvcc/rig.ts";

const limits = { exportsMax: 1, stallMs: 1000, durationMsMax: 1500 };
const largeBytes = 3 << 20;

/** Snapshots of a small store, with everything moved by hand. */
class World {
  readonly rig = new Rig();
  readonly hand = this.rig.hand;
  readonly snapshots: SnapshotExports;

  constructor() {
    const { rig, hand } = this;
    for (let i = 0; i < 3; i++) rig.put(`k${i}`, "v".repeat(largeBytes / 3));
    const later = (run: () => void): void => {
      hand.next(run);
    };
    this.snapshots = new SnapshotExports({
      backend: {
        exportImage: (done) => {
          exportView(rig.backend.view(), later, done);
        },
        importImage: () => assert.fail(),
        replace: () => assert.fail(),
      },
      writer: rig.writer,
      ...{ clock: hand, turn: hand, limits },
    });
  }

  /** Turns and commits, without time. */
  run(): void {
    for (let i = 0; i < 20; i++) {
      this.hand.turn();
      this.rig.backend.flush();
    }
  }

  ask(isForMember = false): { stream: SnapshotStream | null; error: Error | null } {
    const asked = { stream: null as SnapshotStream | null, error: null as Error | null };
    this.snapshots.open((error, stream) => {
      asked.error = error;
      if (error === null) asked.stream = stream;
    }, isForMember);
    return asked;
  }

  open(isForMember = false): SnapshotStream {
    const asked = this.ask(isForMember);
    this.run();
    assert.ok(asked.stream !== null);
    return asked.stream;
  }

  /** Asks for a piece; the answer comes as turns go on. */
  piece(stream: SnapshotStream): { value: Uint8Array | null | Error | undefined } {
    const got: { value: Uint8Array | null | Error | undefined } = { value: undefined };
    stream.read((error, piece) => {
      got.value = error ?? piece;
    });
    return got;
  }

  rest(streams: readonly SnapshotStream[]): Uint8Array[] {
    const pieces = streams.map((): Uint8Array[] => []);
    for (;;) {
      const asked = streams.map((stream) => this.piece(stream));
      this.run();
      if (asked.some(({ value }) => value === null)) return pieces.map((all) => concat(all));
      for (const [i, { value }] of asked.entries()) pieces[i]!.push(value as Uint8Array);
    }
  }
}

interface Asked {
  readonly stream: SnapshotStream | null;
}

const isOpen = ({ stream }: Asked): boolean => stream !== null;
const isAnswered = ({ value }: { readonly value: unknown }): boolean => value !== undefined;

test("a snapshot shows what was applied when it was asked for, and says its index", () => {
  const world = new World();
  assert.equal(world.snapshots.oldestIndex, Infinity);
  const stream = world.open(true);
  assert.equal(stream.info.metadata.index, 3);
  assert.equal(stream.info.metadata.term, 1);
  assert.equal(stream.info.revision, 4);
  world.rig.put("later", "1");
  world.rig.writer.commit(() => undefined);
  world.run();
  assert.equal(world.rig.writer.durableIndex, 4);
  assert.equal(world.snapshots.oldestIndex, 3);
  const [file] = world.rest([stream]);
  assert.equal(file!.length, stream.sizeBytes);
  assert.equal(stream.sha256?.length, 32);
  stream.close();
  stream.close();
  assert.equal(world.snapshots.oldestIndex, Infinity);
  assert.equal(world.rig.backend.openViews, 1);
});

test("a snapshot for a client holds back no log, unless a member joins it", () => {
  const world = new World();
  world.open();
  assert.equal(world.snapshots.oldestIndex, Infinity);
  world.open(true);
  assert.equal(world.snapshots.oldestIndex, 3);
});

test("who asks before the first piece shares the view, who asks later waits for the next", () => {
  const world = new World();
  const early = world.ask();
  world.run();
  const same = world.ask();
  world.run();
  assert.equal(world.rig.backend.openViews, 2);
  const first = world.piece(early.stream!);
  world.run();
  assert.ok(!isAnswered(first), "a piece went out before both had asked");
  const second = world.piece(same.stream!);
  world.run();
  assert.ok(first.value instanceof Uint8Array);
  assert.equal(second.value, first.value);
  const late = [world.ask(), world.ask()];
  world.run();
  assert.equal(late.filter(isOpen).length, 0);
  const files = world.rest([early.stream!, same.stream!]);
  assert.deepEqual(files[0], files[1]);
  early.stream!.close();
  same.stream!.close();
  world.run();
  const again = world.rest(late.map(({ stream }) => stream!));
  assert.deepEqual(again[0], concat([first.value, files[0]!]));
  for (const { stream } of late) stream!.close();
  assert.equal(world.rig.backend.openViews, 1);
});

test("a reader that stops is given up, and the other one goes on", () => {
  const world = new World();
  const asked = [world.ask(), world.ask()];
  world.run();
  const [slow, quick] = asked.map(({ stream }) => stream!);
  const pieces = [world.piece(slow!), world.piece(quick!)];
  world.run();
  assert.ok(pieces.every(({ value }) => value instanceof Uint8Array));
  const next = world.piece(quick!);
  world.hand.advance(limits.stallMs);
  world.run();
  assert.ok(next.value instanceof Uint8Array);
  const refused = world.piece(slow!);
  world.run();
  assert.match(String(refused.value), /too slow/);
  slow!.close();
  quick!.close();
  assert.equal(world.rig.backend.openViews, 1);
});

test("no view outlives its deadline, and none its member", () => {
  const world = new World();
  const stream = world.open();
  for (let ms = 0; ms < limits.durationMsMax; ms += 500) {
    const piece = world.piece(stream);
    world.run();
    assert.ok(piece.value instanceof Uint8Array);
    world.hand.advance(500);
  }
  world.run();
  const late = world.piece(stream);
  world.run();
  assert.match(String(late.value), /takes too long/);
  assert.equal(world.rig.backend.openViews, 1);
  const [open, waiting] = [world.open(), world.ask()];
  const reading = world.piece(open);
  world.snapshots.close();
  world.run();
  assert.match(String(reading.value), /the member is closing/);
  assert.match(String(waiting.error), /the member is closing/);
  const after = world.ask();
  world.run();
  assert.match(String(after.error), /the member is closing/);
  assert.equal(world.rig.backend.openViews, 1);
});

test("a damaged member row fails the snapshot and closes the view", () => {
  const world = new World();
  world.rig.writer.put("members", new Uint8Array([49]), new Uint8Array([123]));
  const asked = world.ask();
  world.run();
  assert.match(String(asked.error), /damaged member/);
  assert.equal(world.rig.backend.openViews, 1);
  assert.equal(world.snapshots.oldestIndex, Infinity);
});
