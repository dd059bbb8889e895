import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import * as etcd from "../../src/base/etcd-errors.ts";
import type { Method, StreamReceiver } from "../../src/client/caller.ts";
import * as errors from "../../src/client/errors.ts";
import { fakeWorld } from "./fake-channels.ts";

const method: Method<string, string> = {
  path: "/test.Chat/Chat",
  retry: "never",
  encode: (text) => new TextEncoder().encode(text),
  decode: (bytes) => new TextDecoder().decode(bytes),
};

class Log implements StreamReceiver<string> {
  readonly heard: string[] = [];
  error: Error | null = null;
  message(text: string): void {
    this.heard.push(text);
  }
  ended(): void {
    this.heard.push("<ended>");
  }
  failed(error: Error): void {
    this.error = error;
    this.heard.push("<failed>");
  }
}

test("what is sent before a connection is there leaves first and in order", () => {
  const { connection, channels } = fakeWorld(1, { isReady: false });
  const stream = connection.caller.open(method, new Log());
  assert.equal(stream.endpoint, "");
  stream.send("1");
  stream.send("2");
  stream.end();
  channels[0]!.ready();
  assert.equal(stream.endpoint, "a:1");
  assert.deepEqual([channels[0]!.last.sent, channels[0]!.last.isHalfClosed], [["1", "2"], true]);
});

test("messages arrive one by one; a paused stream asks for no more", () => {
  const { connection, channels } = fakeWorld(1);
  const log = new Log();
  const stream = connection.caller.open(method, log);
  const { last } = channels[0]!;
  assert.equal(last.readsAsked, 1);
  last.message("a");
  assert.equal(last.readsAsked, 2);
  stream.pause();
  last.message("b");
  assert.equal(last.readsAsked, 2);
  stream.resume();
  assert.equal(last.readsAsked, 3);
  stream.resume();
  assert.equal(last.readsAsked, 3);
  last.status(0, "");
  assert.deepEqual(log.heard, ["a", "b", "<ended>"]);
});

test("send says when the transport's buffer is full, drained when it is not any more", async () => {
  const { connection, channels } = fakeWorld(1);
  const stream = connection.caller.open(method, new Log());
  const part = "x".repeat(40_000);
  assert.equal(stream.send(part), true);
  assert.equal(stream.send(part), false);
  let isDrained = false;
  void stream.drained.then(() => (isDrained = true));
  await turn();
  assert.equal(isDrained, false);
  channels[0]!.last.flush();
  await turn();
  assert.equal(isDrained, true);
  await stream.drained;
});

test("a stream fails with the error of its status, once, and the next avoids that member", () => {
  const { connection, channels } = fakeWorld(2);
  const log = new Log();
  connection.caller.open(method, log, { requireLeader: true });
  assert.equal(channels[0]!.last.headers["hasleader"], "true");
  channels[0]!.last.refuse(etcd.errNoLeader);
  channels[0]!.last.refuse(etcd.errNoLeader);
  assert.deepEqual(log.heard, ["<failed>"]);
  assert.ok(log.error instanceof errors.NoLeaderError);
  for (let i = 0; i < 3; i++) {
    assert.equal(connection.caller.open(method, new Log()).endpoint, "b:1");
  }
});

test("a canceled stream is dropped at the server and its receiver hears nothing more", async () => {
  const { connection, channels } = fakeWorld(1);
  const log = new Log();
  const stream = connection.caller.open(method, log);
  channels[0]!.last.message("a");
  stream.cancel();
  channels[0]!.last.message("b");
  await turn();
  assert.equal(channels[0]!.last.isCanceled, true);
  assert.deepEqual(log.heard, ["a"]);
  assert.equal(stream.send("late"), true);
  await stream.drained;
});

test("when every endpoint failed since it was opened, a stream fails with all causes", () => {
  const { connection, channels } = fakeWorld(2, { isReady: false });
  const log = new Log();
  connection.caller.open(method, log);
  channels[0]!.fail("refused");
  channels[0]!.fail("refused");
  assert.deepEqual(log.heard, []);
  channels[1]!.fail("timed out");
  assert.ok(log.error instanceof errors.ConnectionError);
  assert.match(log.error.message, /a:1: refused; b:1: timed out/u);
});

test("signal, deadline and close end a stream, with a connection or without", async () => {
  for (const isReady of [true, false]) {
    const { connection, clock } = fakeWorld(1, { isReady });
    const [first, second, third, fourth] = [new Log(), new Log(), new Log(), new Log()];
    const abort = new AbortController();
    connection.caller.open(method, first, { signal: abort.signal });
    connection.caller.open(method, second, { timeoutMs: 100 });
    connection.caller.open(method, third);
    abort.abort();
    assert.ok(first.error instanceof errors.CanceledError);
    clock.advance(100);
    assert.ok(second.error instanceof errors.TimeoutError);
    connection.close();
    assert.ok(third.error instanceof errors.ClientClosedError);
    connection.caller.open(method, fourth);
    await turn();
    assert.ok(fourth.error instanceof errors.ClientClosedError);
    assert.equal(clock.pending, 0);
  }
});

test("a message that cannot be read ends the stream on both sides", async () => {
  const { connection, channels } = fakeWorld(1);
  const log = new Log();
  const decode = (): string => {
    throw new Error("short");
  };
  connection.caller.open({ ...method, decode }, log);
  channels[0]!.last.message("?");
  await turn();
  assert.ok(log.error instanceof errors.MalformedResponseError);
  assert.equal(channels[0]!.last.isCanceled, true);
  assert.deepEqual(log.heard, ["<failed>"]);
});

test("a stream keeps the process alive while it waits for a connection", () => {
  const { connection, clock } = fakeWorld(1, { isReady: false });
  const stream = connection.caller.open(method, new Log());
  assert.equal(clock.pending, 1);
  clock.advance(600_000);
  assert.equal(clock.pending, 1);
  stream.cancel();
  assert.equal(clock.pending, 0);
});
