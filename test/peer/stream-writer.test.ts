import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../../src/base/log.ts";
import { MetricRegistry } from "../../src/base/metrics.ts";
import { concat } from "../../src/base/bytes.ts";
import { AppendDecoder, SharedEntries } from "../../src/server/peer/append-frames.ts";
import { linkHeartbeat } from "../../src/server/peer/message-frames.ts";
import { peerLimits } from "../../src/server/peer/peer-limits.ts";
import { createPeerMetrics } from "../../src/server/peer/peer-metrics.ts";
import { PeerStatus } from "../../src/server/peer/peer-status.ts";
import { StreamWriter } from "../../src/server/peer/stream-writer.ts";
import { FakeClock } from "../watch/fakes.ts";
import { append, entry } from "./rig.ts";

const log: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal(message) {
    throw new Error(message);
  },
};

/** A connection that takes a write when told to. */
class HandSink {
  readonly writes: Uint8Array[] = [];
  destroyed = 0;
  #done: ((error: Error | null) => void) | null = null;

  write(bytes: Uint8Array, done: (error: Error | null) => void): void {
    assert.equal(this.#done, null, "one write at a time");
    this.writes.push(bytes.slice());
    this.#done = done;
  }

  take(): void {
    const done = this.#done;
    this.#done = null;
    done?.(null);
  }

  destroy(): void {
    this.destroyed++;
  }
}

function rig(limits: Partial<typeof peerLimits> = {}) {
  const clock = new FakeClock();
  const metrics = createPeerMetrics(new MetricRegistry());
  let flushes = 0;
  let unreachables = 0;
  const writer = new StreamWriter({
    ...{
      kind: "msgapp",
      local: "a",
      remote: "b",
      shared: new SharedEntries(),
      clock,
      log,
      metrics,
    },
    status: new PeerStatus({ clock, log, metrics, local: "a", remote: "b" }),
    limits: { ...peerLimits, ...limits },
    wantFlush: () => flushes++,
    unreachable: () => unreachables++,
  });
  const sink = new HandSink();
  const hold = writer.attach(sink);
  return {
    ...{ clock, writer, sink, hold },
    counts: () => ({ flushes, unreachables }),
  };
}

const appends = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => append(1n, 2n, from + i, [entry(from + i + 1)]));

test("what is sent in a turn asks for one flush and is one write", () => {
  const { writer, sink, counts } = rig();
  for (const message of appends(0, 50)) writer.send(message);
  assert.deepEqual([sink.writes.length, counts().flushes], [0, 1]);
  writer.flush();
  assert.equal(sink.writes.length, 1);
  for (const message of appends(50, 50)) writer.send(message);
  writer.flush();
  assert.equal(sink.writes.length, 1); // the first is under way
  sink.take();
  writer.flush();
  assert.equal(sink.writes.length, 2);
  const decoder = new AppendDecoder(2n, 1n, peerLimits);
  decoder.push(concat(sink.writes));
  for (const message of appends(0, 100)) assert.deepEqual(decoder.next(), message);
});

test("a large flush goes in pieces, each after the one before", () => {
  const { writer, sink } = rig({ writeBytesMax: 100 });
  writer.send(append(1n, 2n, 0, [entry(1, 250)]));
  writer.flush();
  const sizes: number[] = [];
  while (sizes.length < sink.writes.length) {
    sizes.push(sink.writes.at(-1)!.length);
    sink.take();
  }
  assert.deepEqual([sizes.slice(0, -1), sizes.at(-1)! <= 100], [[100, 100], true]);
});

test("beyond the bounds messages are dropped and reported, and the stream still fits together", () => {
  const { writer, sink, counts } = rig({ streamMessagesMax: 3 });
  for (const message of appends(0, 5)) writer.send(message);
  assert.equal(counts().unreachables, 2);
  writer.flush();
  sink.take();
  writer.send(append(1n, 2n, 9, [entry(10)])); // does not continue the stream: sent whole
  writer.flush();
  const decoder = new AppendDecoder(2n, 1n, peerLimits);
  decoder.push(concat(sink.writes));
  for (const message of appends(0, 3)) assert.deepEqual(decoder.next(), message);
  assert.deepEqual(decoder.next(), append(1n, 2n, 9, [entry(10)]));
});

test("an idle connection gets a heartbeat every third of the read timeout, a busy one none", () => {
  const { clock, writer, sink } = rig();
  clock.advance(peerLimits.readTimeoutMs / 3 + 1);
  assert.deepEqual(
    sink.writes.map((bytes) => [...bytes]),
    [[0]],
  );
  clock.advance(peerLimits.readTimeoutMs / 3 + 1);
  assert.equal(sink.writes.length, 1);
  sink.take();
  writer.flush();
  clock.advance(peerLimits.readTimeoutMs / 3 + 1);
  assert.equal(sink.writes.length, 2);
  const decoder = new AppendDecoder(2n, 1n, peerLimits);
  decoder.push(concat(sink.writes));
  assert.deepEqual([decoder.next(), decoder.next()], [linkHeartbeat, linkHeartbeat]);
});

test("a connection that takes nothing for the write timeout is ended and reported", () => {
  const { clock, writer, sink, counts } = rig();
  writer.send(appends(0, 1)[0]!);
  writer.flush();
  clock.advance(peerLimits.writeTimeoutMs + peerLimits.readTimeoutMs / 3 + 1);
  assert.deepEqual([writer.isAttached, sink.destroyed], [false, 1]);
  assert.ok(counts().unreachables > 0);
  assert.equal(clock.timers, 0);
});

test("a new connection takes the old one's place and begins a new stream", () => {
  const { writer, sink, hold, counts } = rig();
  for (const message of appends(0, 2)) writer.send(message);
  const second = new HandSink();
  writer.attach(second);
  assert.deepEqual([sink.destroyed, counts().unreachables], [1, 1]); // what waited is lost
  hold.closed(null); // late, and of the old one
  assert.equal(writer.isAttached, true);
  writer.send(append(1n, 2n, 2, [entry(3)]));
  writer.flush();
  assert.equal(second.writes[0]?.[0], 2);
  writer.stop();
  assert.equal(second.destroyed, 1);
});
