import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import * as etcd from "../../src/base/etcd-errors.ts";
import { grpcCode } from "../../src/base/grpc-code.ts";
import type { Method, RetryRule } from "../../src/client/caller.ts";
import * as errors from "../../src/client/errors.ts";
import { fakeWorld, type FakeCall, type FakeChannel } from "./fake-channels.ts";

function echo(retry: RetryRule): Method<string, string> {
  const path = "/test.Echo/Echo";
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  return { path, retry, encode, decode: (bytes) => new TextDecoder().decode(bytes) };
}
const read = echo("read");
const write = echo("write");

/** How a promise ended, without an unhandled rejection meanwhile. */
function outcome(promise: Promise<unknown>): { value: unknown } {
  const seen: { value: unknown } = { value: "pending" };
  promise.then(
    (value) => (seen.value = value),
    (error: unknown) => (seen.value = error),
  );
  return seen;
}

function isPending({ value }: { readonly value: unknown }): boolean {
  return value === "pending";
}

function callsOf(channels: readonly FakeChannel[]): FakeCall[] {
  return channels.flatMap(({ calls }) => calls);
}

test("a call is one message, the end of the request, and one answer", async () => {
  const { connection, channels } = fakeWorld(1);
  const result = connection.caller.call(read, "ask");
  const { last } = channels[0]!;
  assert.deepEqual([last.path, last.sent, last.isHalfClosed], [read.path, ["ask"], true]);
  last.answer("told");
  assert.equal(await result, "told");
});

test("a write that may have been applied is never sent twice (etcd 14890)", async () => {
  const unavailable = [etcd.errNoLeader, etcd.errTimeout, etcd.errStopped, etcd.errLeaderChanged];
  for (const constant of unavailable) {
    const { connection, channels, clock } = fakeWorld(3);
    const result = outcome(connection.caller.call(write, "put"));
    callsOf(channels)[0]!.refuse(constant);
    await turn();
    clock.advance(60_000);
    assert.ok(result.value instanceof errors.EtcdError);
    assert.equal(result.value.message, constant.message);
    assert.equal(callsOf(channels).length, 1);
  }
});

test("a write whose connection broke fails as such and is not sent again", async () => {
  const { connection, channels } = fakeWorld(2);
  const result = outcome(connection.caller.call(write, "put"));
  callsOf(channels)[0]!.status(grpcCode.unavailable, "Connection dropped");
  await turn();
  assert.ok(result.value instanceof errors.ConnectionError);
  assert.match(result.value.message, /a:1.*Connection dropped/u);
  assert.equal(callsOf(channels).length, 1);
});

test("a write that the server refused unseen is sent again, after the wait", async () => {
  const { connection, channels, clock } = fakeWorld(1);
  const result = connection.caller.call(write, "put");
  channels[0]!.last.status(grpcCode.unavailable, "Stream refused by server", 7);
  clock.advance(24);
  assert.equal(channels[0]!.calls.length, 1);
  clock.advance(1);
  assert.equal(channels[0]!.calls.length, 2);
  channels[0]!.last.answer("ok");
  assert.equal(await result, "ok");
});

test("a write leaves only once an endpoint is ready, then exactly once", async () => {
  const { connection, channels } = fakeWorld(2, { isReady: false });
  const result = connection.caller.call(write, "put");
  channels[0]!.fail("refused");
  assert.equal(callsOf(channels).length, 0);
  channels[1]!.ready();
  channels[0]!.ready();
  assert.deepEqual(
    channels.map(({ calls }) => calls.length),
    [0, 1],
  );
  channels[1]!.last.answer("ok");
  assert.equal(await result, "ok");
});

test("a read goes on to another endpoint, and the failed one rests", async () => {
  const { connection, channels } = fakeWorld(2);
  const result = connection.caller.call(read, "get");
  channels[0]!.last.refuse(etcd.errNoLeader);
  channels[1]!.last.answer("there");
  assert.equal(await result, "there");
  for (let i = 0; i < 3; i++) {
    const next = connection.caller.call(read, "get");
    channels[1]!.last.answer("still");
    await next;
  }
  assert.deepEqual(
    channels.map(({ calls }) => calls.length),
    [1, 4],
  );
});

test("an endpoint that keeps failing rests longer each time, until it serves again", async () => {
  const { connection, channels, clock } = fakeWorld(2, { timeoutMs: Infinity });
  const [first, second] = channels as [FakeChannel, FakeChannel];
  /** How often the first endpoint is asked within a minute of a call per second. */
  const asked = async (isFailing: boolean): Promise<number> => {
    const before = first.calls.length;
    for (let i = 0; i < 60; i++) {
      const seen = first.calls.length;
      const result = connection.caller.call(read, "get");
      if (first.calls.length > seen) {
        if (isFailing) first.last.refuse(etcd.errTimeout);
        else first.last.answer("there");
      }
      if (isFailing || first.calls.length === seen) second.last.answer("there");
      assert.equal(await result, "there");
      clock.advance(1_000);
    }
    return first.calls.length - before;
  };
  assert.ok((await asked(true)) <= 5);
  clock.advance(60_000);
  assert.equal(await asked(false), 30);
});

test("a learner's refusal sends a write to another endpoint; alone it is the answer", async () => {
  const several = fakeWorld(2);
  const result = several.connection.caller.call(write, "put");
  several.channels[0]!.last.refuse(etcd.errNotSupportedForLearner);
  several.channels[1]!.last.answer("ok");
  assert.equal(await result, "ok");
  const alone = fakeWorld(1);
  const refused = alone.connection.caller.call(write, "put");
  alone.channels[0]!.last.refuse(etcd.errNotSupportedForLearner);
  await assert.rejects(refused, errors.NotSupportedForLearnerError);
});

test("reads stop being repeated after the most retries", async () => {
  const { connection, channels, clock } = fakeWorld(1, { retriesMax: 3, timeoutMs: Infinity });
  const result = outcome(connection.caller.call(read, "get"));
  for (let i = 0; i < 4; i++) {
    channels[0]!.last.refuse(etcd.errNoLeader);
    clock.advance(1_000);
  }
  await turn();
  assert.equal(channels[0]!.calls.length, 4);
  assert.ok(result.value instanceof errors.NoLeaderError);
});

test("calls go round over the endpoints that are ready", async () => {
  const { connection, channels } = fakeWorld(3);
  channels[1]!.state = "connecting";
  const results = Array.from({ length: 6 }, () => connection.caller.call(read, "get"));
  for (const call of callsOf(channels)) call.answer("x");
  await Promise.all(results);
  const counts = channels.map(({ calls }) => calls.length);
  assert.equal(counts[1], 0);
  assert.ok(counts[0]! >= 2 && counts[2]! >= 2, String(counts));
});

test("without a connection a call fails at its deadline, naming causes", async () => {
  const { connection, channels, clock } = fakeWorld(2, { isReady: false, timeoutMs: 1_000 });
  const result = outcome(connection.caller.call(read, "get"));
  channels[0]!.fail("connect ECONNREFUSED");
  channels[1]!.fail("certificate has expired");
  clock.advance(999);
  await turn();
  assert.ok(isPending(result));
  clock.advance(1);
  await turn();
  assert.ok(result.value instanceof errors.ConnectionError);
  assert.match(result.value.message, /a:1: connect ECONNREFUSED; b:1: certificate has expired/u);
  assert.equal((result.value.cause as Error).message, "connect ECONNREFUSED");
  assert.equal(clock.pending, 0);
});

test("an unanswered call is given up at its deadline and dropped at the server", async () => {
  const { connection, channels, clock } = fakeWorld(1);
  const result = outcome(connection.caller.call(write, "put", { timeoutMs: 500 }));
  clock.advance(500);
  await turn();
  assert.ok(result.value instanceof errors.TimeoutError);
  assert.match(result.value.message, /Echo.*a:1.*500 ms/u);
  assert.equal(channels[0]!.last.isCanceled, true);
  assert.equal(clock.pending, 0);
});

test("an unanswered read is tried elsewhere; a late answer is not taken", async () => {
  const { connection, channels, clock } = fakeWorld(2, { readTryTimeoutMs: 100 });
  const result = connection.caller.call(read, "get");
  clock.advance(100);
  assert.deepEqual([channels[0]!.last.isCanceled, channels[1]!.calls.length], [true, 1]);
  channels[0]!.last.message("late");
  await turn(); // the status of the try that was given up
  channels[1]!.last.answer("in time");
  assert.equal(await result, "in time");
  assert.equal(channels[0]!.calls.length, 1);
});

test("the limit of a try ends with the try", async () => {
  const { connection, channels, clock } = fakeWorld(2, { readTryTimeoutMs: 100 });
  const result = connection.caller.call(read, "get");
  clock.advance(90);
  channels[0]!.last.refuse(etcd.errNoLeader);
  clock.advance(90);
  channels[1]!.last.refuse(etcd.errNoLeader);
  clock.advance(24); // beyond the second try's limit, within the wait
  assert.equal(callsOf(channels).length, 2);
  clock.advance(1);
  assert.equal(callsOf(channels).length, 3);
  callsOf(channels.filter(({ calls }) => calls.length === 2))[1]!.answer("there");
  assert.equal(await result, "there");
});

test("an unanswered write is not tried elsewhere", () => {
  const { connection, channels, clock } = fakeWorld(2, { readTryTimeoutMs: 100 });
  outcome(connection.caller.call(write, "put"));
  clock.advance(5_000);
  assert.equal(callsOf(channels).length, 1);
});

test("the caller's signal ends the call in every phase", async () => {
  const early = fakeWorld(1);
  const reason = new Error("enough");
  await assert.rejects(
    early.connection.caller.call(read, "x", { signal: AbortSignal.abort(reason) }),
    (error) => error instanceof errors.CanceledError && error.cause === reason,
  );
  for (const isReady of [true, false]) {
    const { connection, channels, clock } = fakeWorld(1, { isReady });
    const abort = new AbortController();
    const result = outcome(connection.caller.call(read, "x", { signal: abort.signal }));
    abort.abort(reason);
    await turn();
    assert.ok(result.value instanceof errors.CanceledError);
    assert.deepEqual(
      [channels[0]!.calls.every((call) => call.isCanceled), clock.pending],
      [true, 0],
    );
  }
});

test("after close nothing is under way and nothing can begin", async () => {
  const { connection, channels, clock } = fakeWorld(2);
  const waiting = fakeWorld(1, { isReady: false });
  const results = [
    outcome(connection.caller.call(read, "x")),
    outcome(connection.caller.at("c:1").call(write, "y")),
    outcome(waiting.connection.caller.call(read, "z")),
  ];
  connection.close();
  waiting.connection.close();
  await turn();
  for (const { value } of results) assert.ok(value instanceof errors.ClientClosedError);
  assert.ok(channels.every(({ state }) => state === "closed"));
  assert.deepEqual([clock.pending, waiting.clock.pending], [0, 0]);
  await assert.rejects(connection.caller.call(read, "x"), errors.ClientClosedError);
  assert.equal(connection.closed.aborted, true);
});

test("answers that are none are errors that name the endpoint", async () => {
  const { connection, channels } = fakeWorld(1);
  const broken: Method<string, string> = {
    ...read,
    decode: () => {
      throw new Error("short");
    },
  };
  const wrong = connection.caller.call(broken, "x");
  channels[0]!.last.answer("?");
  await assert.rejects(wrong, /Malformed answer of a:1.*short/u);
  const missing = connection.caller.call(read, "x");
  channels[0]!.last.status(0, "");
  await assert.rejects(missing, errors.MalformedResponseError);
  const compressed = connection.caller.call(read, "x");
  channels[0]!.last.raw(Buffer.from([1, 0, 0, 0, 0]));
  channels[0]!.last.status(0, "");
  await assert.rejects(compressed, errors.MalformedResponseError);
});

test("a request beyond the limit does not leave", async () => {
  const { connection, channels } = fakeWorld(1, { requestBytesMax: 3 });
  await assert.rejects(connection.caller.call(write, "1234"), /larger than max \(4 vs\. 3\)/u);
  assert.equal(channels[0]!.calls.length, 0);
});

test("requireLeader and the client's version travel as metadata", () => {
  const { connection, channels } = fakeWorld(1);
  outcome(connection.caller.call(read, "x", { requireLeader: true }));
  assert.deepEqual(channels[0]!.last.headers, { "client-api-version": "3.7", hasleader: "true" });
});

test("an endpoint that is asked for is the only one used", async () => {
  const { connection, channels } = fakeWorld(2);
  const result = connection.caller.at("c:1").call(read, "x");
  assert.equal(channels[2]!.endpoint, "c:1");
  channels[2]!.last.answer("c");
  assert.equal(await result, "c");
  assert.equal(connection.caller.at("c:1"), connection.caller.at("c:1"));
});

test("endpoints that stay keep their connection, the others are closed", () => {
  const { connection, channels } = fakeWorld(2);
  connection.setEndpoints(["b:1", "d:1"]);
  assert.deepEqual(
    channels.map(({ endpoint, state }) => [endpoint, state]),
    [
      ["a:1", "closed"],
      ["b:1", "ready"],
      ["d:1", "ready"],
    ],
  );
  assert.deepEqual(connection.endpoints, ["b:1", "d:1"]);
  assert.throws(() => connection.setEndpoints(["nonsense://"]), TypeError);
  assert.deepEqual(connection.endpoints, ["b:1", "d:1"]);
});
