import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import * as etcd from "../../src/base/etcd-errors.ts";
import { Writer } from "../../src/codec/writer.ts";
import type { Method } from "../../src/client/caller.ts";
import * as errors from "../../src/client/errors.ts";
import { fakeWorld, type FakeCall } from "./fake-channels.ts";

const write: Method<string, string> = {
  path: "/test.Echo/Echo",
  retry: "write",
  encode: (text) => new TextEncoder().encode(text),
  decode: (bytes) => new TextDecoder().decode(bytes),
};
const loginPath = "/etcdserverpb.Auth/Authenticate";
const user = { username: "root", password: "secret" };

function answerToken(call: FakeCall, token: string): void {
  assert.equal(call.path, loginPath);
  const out = new Writer();
  out.bytesField(0x12, new TextEncoder().encode(token));
  call.raw(Buffer.concat([Buffer.alloc(5), out.view()]));
  call.status(0, "");
}

test("a user's first calls wait for one token and carry it", async () => {
  const { connection, channels } = fakeWorld(1, user);
  const { calls } = channels[0]!;
  const results = [connection.caller.call(write, "1"), connection.caller.call(write, "2")];
  assert.deepEqual(
    calls.map(({ path, headers, sent }) => [path, headers["token"], sent]),
    [[loginPath, undefined, ["\n\u0004root\u0012\u0006secret"]]],
  );
  answerToken(calls[0]!, "t1");
  await turn();
  assert.deepEqual(
    calls.slice(1).map(({ headers, sent }) => [headers["token"], sent]),
    [
      ["t1", ["1"]],
      ["t1", ["2"]],
    ],
  );
  calls[1]!.answer("a");
  calls[2]!.answer("b");
  assert.deepEqual(await Promise.all(results), ["a", "b"]);
});

test("a refused token is renewed once for all calls that carried it, writes too", async () => {
  const { connection, channels } = fakeWorld(1, user);
  const { calls } = channels[0]!;
  const results = [connection.caller.call(write, "1"), connection.caller.call(write, "2")];
  answerToken(calls[0]!, "old");
  await turn();
  calls[1]!.refuse(etcd.errInvalidAuthToken);
  answerToken(calls[3]!, "new");
  await turn();
  calls[2]!.refuse(etcd.errInvalidAuthToken); // of the old one: the new one is there already
  await turn();
  assert.equal(calls.filter(({ path }) => path === loginPath).length, 2);
  for (const call of calls.slice(4)) {
    assert.equal(call.headers["token"], "new");
    call.answer("ok");
  }
  assert.deepEqual(await Promise.all(results), ["ok", "ok"]);
});

test("a token that is refused again right after its renewal is the call's error", async () => {
  const { connection, channels } = fakeWorld(1, user);
  const { calls } = channels[0]!;
  const result = connection.caller.call(write, "1");
  for (const i of [0, 2]) {
    answerToken(calls[i]!, `t${String(i)}`);
    await turn();
    calls[i + 1]!.refuse(etcd.errInvalidAuthToken);
  }
  await assert.rejects(result, errors.InvalidAuthTokenError);
  assert.equal(calls.length, 4);
});

test("a change of users while the call was under way costs a new token and a wait", async () => {
  const { connection, channels, clock } = fakeWorld(1, user);
  const { calls } = channels[0]!;
  const result = connection.caller.call(write, "1");
  answerToken(calls[0]!, "t0");
  for (let i = 1; i < 6; i += 2) {
    await turn();
    calls[i]!.refuse(etcd.errAuthOldRevision);
    clock.advance(1_000);
    answerToken(calls[i + 1]!, `t${String(i)}`);
  }
  await turn();
  calls.at(-1)!.answer("ok");
  assert.equal(await result, "ok");
});

test("a wrong password is the error of every call that waited; the next asks again", async () => {
  const { connection, channels } = fakeWorld(1, user);
  const { calls } = channels[0]!;
  const results = [connection.caller.call(write, "1"), connection.caller.call(write, "2")];
  calls[0]!.refuse(etcd.errAuthFailed);
  for (const result of results) await assert.rejects(result, errors.AuthFailedError);
  const next = connection.caller.call(write, "3");
  assert.equal(calls.length, 2);
  calls[1]!.refuse(etcd.errAuthFailed);
  await assert.rejects(next, errors.AuthFailedError);
});

test("while authentication is off a user's calls carry no token, until they are told", async () => {
  const { connection, channels } = fakeWorld(1, user);
  const { calls } = channels[0]!;
  const result = connection.caller.call(write, "1");
  calls[0]!.refuse(etcd.errAuthNotEnabled);
  await turn();
  assert.equal(calls[1]!.headers["token"], undefined);
  calls[1]!.refuse(etcd.errUserEmpty); // it was turned on meanwhile
  answerToken(calls[2]!, "t1");
  await turn();
  assert.equal(calls[3]!.headers["token"], "t1");
  calls[3]!.answer("ok");
  assert.equal(await result, "ok");
});

test("a fixed token is sent as it is and never renewed", async () => {
  const { connection, channels } = fakeWorld(1, { token: "jwt" });
  const result = connection.caller.call(write, "1");
  const { calls } = channels[0]!;
  assert.equal(calls[0]!.headers["token"], "jwt");
  calls[0]!.refuse(etcd.errInvalidAuthToken);
  await assert.rejects(result, errors.InvalidAuthTokenError);
  assert.equal(calls.length, 1);
});

test("a call that waits for a token ends at its deadline all the same", async () => {
  const { connection, channels, clock } = fakeWorld(1, user);
  const result = connection.caller.call(write, "1", { timeoutMs: 100 });
  const rejected = assert.rejects(result, errors.EtcdError);
  clock.advance(100);
  await rejected;
  answerToken(channels[0]!.calls[0]!, "t1");
  await turn();
  assert.equal(channels[0]!.calls.length, 1);
});

test("a stream whose token was refused leaves a new one to its successor", async () => {
  const { connection, channels } = fakeWorld(1, user);
  const { calls } = channels[0]!;
  const failures: Error[] = [];
  const receiver = {
    message: () => undefined,
    ended: () => undefined,
    failed: (error: Error) => failures.push(error),
  };
  connection.caller.open(write, receiver);
  answerToken(calls[0]!, "t1");
  await turn();
  calls[1]!.refuse(etcd.errInvalidAuthToken);
  assert.ok(failures[0] instanceof errors.InvalidAuthTokenError);
  connection.caller.open(write, receiver);
  answerToken(calls[2]!, "t2");
  await turn();
  assert.equal(calls[3]!.headers["token"], "t2");
  connection.caller.tokenRefused?.(); // an answer within the stream said so
  connection.caller.open(write, receiver);
  answerToken(calls[4]!, "t3");
  await turn();
  assert.equal(calls[5]!.headers["token"], "t3");
});
