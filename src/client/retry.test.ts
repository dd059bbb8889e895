import assert from "node:assert/strict";
import { test } from "node:test";

import { Metadata, status as grpcStatus } from "@grpc/grpc-js";

import * as etcd from "../base/etcd-errors.ts";
import type { CallStatus } from "./channel.ts";
import * as errors from "./errors.ts";
import { backoffMs, isUnprocessed, mayRetry, needsNewToken, statusError } from "./retry.ts";

function status(code: grpcStatus, details: string, rstCode?: number): CallStatus {
  const about = rstCode === undefined ? {} : { rstCode };
  return { code, details, metadata: new Metadata(), ...about };
}
const one = { isUnprocessed: false, endpointCount: 1, tries: 1, requireLeader: false };
const three = { ...one, endpointCount: 3 };
const refused = { ...one, isUnprocessed: true };

test("a read is repeated after every unavailability, a write after none of them", () => {
  const texts = [etcd.errNoLeader, etcd.errTimeout, etcd.errLeaderChanged, etcd.errStopped];
  const all = texts.map(({ code, message }) => errors.fromStatus(code, message));
  all.push(new errors.ConnectionError("h:1", "Connection dropped"));
  for (const error of all) {
    assert.deepEqual(
      [mayRetry("read", error, one), mayRetry("write", error, three)],
      [true, false],
      error.message,
    );
  }
});

test("who asks for a leader is told that there is none after one try per endpoint", () => {
  const { code, message } = etcd.errNoLeader;
  const error = errors.fromStatus(code, message);
  const wanted = [1, 2, 3].map((tries) =>
    mayRetry("read", error, { ...three, tries, requireLeader: true }),
  );
  assert.deepEqual(wanted, [true, true, false]);
  assert.equal(mayRetry("read", error, { ...three, tries: 3 }), true);
});

test("what the request itself is guilty of is not repeated", () => {
  for (const { code, message } of [etcd.errCompacted, etcd.errPermissionDenied, etcd.errNoSpace]) {
    assert.equal(mayRetry("read", errors.fromStatus(code, message), three), false);
  }
});

test("a write that the server refused unseen is repeated, unless the rule says never", () => {
  const error = statusError("h:1", status(grpcStatus.UNAVAILABLE, "Stream refused by server", 7));
  assert.equal(isUnprocessed(status(grpcStatus.UNAVAILABLE, "Stream refused by server", 7)), true);
  assert.equal(isUnprocessed(status(grpcStatus.UNAVAILABLE, "Connection dropped")), false);
  assert.equal(mayRetry("write", error, refused), true);
  assert.equal(mayRetry("never", error, refused), false);
});

test("a learner's refusal sends reads and writes to another endpoint, if there is one", () => {
  const { code, message } = etcd.errNotSupportedForLearner;
  const error = errors.fromStatus(code, message);
  for (const rule of ["read", "write"] as const) {
    assert.deepEqual([mayRetry(rule, error, one), mayRetry(rule, error, three)], [false, true]);
  }
});

test("the client's own statuses name the endpoint, etcd's stay as they are", () => {
  const dropped = statusError("h:1", status(grpcStatus.UNAVAILABLE, "Connection dropped"));
  assert.ok(dropped instanceof errors.ConnectionError);
  assert.deepEqual([dropped.endpoint, dropped.reason], ["h:1", "Connection dropped"]);
  const cut = statusError("h:1", status(grpcStatus.CANCELLED, "Call cancelled", 8));
  assert.ok(cut instanceof errors.ConnectionError);
  const reset = statusError("h:1", status(grpcStatus.INTERNAL, "Received RST_STREAM", 2));
  assert.equal(reset.message, "h:1: Received RST_STREAM");
  const { message } = etcd.errNoLeader;
  const own = statusError("h:1", status(grpcStatus.UNAVAILABLE, message));
  assert.equal(own.message, message);
});

test("a new token helps against what refuses a token, if the client has a user", () => {
  const user = { user: {}, hasFixedToken: false };
  const nobody = { user: null, hasFixedToken: false };
  const fixed = { user: null, hasFixedToken: true };
  for (const constant of [etcd.errInvalidAuthToken, etcd.errUserEmpty, etcd.errAuthOldRevision]) {
    const error = errors.fromStatus(constant.code, constant.message);
    const helps = [user, nobody, fixed].map((tokens) => needsNewToken(error, tokens));
    assert.deepEqual(helps, [true, false, false], constant.message);
  }
  const { code, message } = etcd.errPermissionDenied;
  assert.equal(needsNewToken(errors.fromStatus(code, message), user), false);
});

test("a call that met a change of users is repeated, a write too", () => {
  const { code, message } = etcd.errAuthOldRevision;
  assert.equal(mayRetry("write", errors.fromStatus(code, message), one), true);
});

test("waits come once per pass over a quorum, double, stop growing and jitter", () => {
  const at = (tries: number, count: number, random: number): number =>
    backoffMs(tries, count, { backoffMs: 25, backoffJitter: 0.1, random: () => random });
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7].map((tries) => at(tries, 1, 0.5)),
    [25, 50, 100, 200, 250, 250, 250],
  );
  assert.deepEqual(
    [1, 2, 3, 4].map((tries) => at(tries, 3, 0.5)),
    [0, 25, 0, 50],
  );
  assert.deepEqual([Math.round(at(2, 1, 0)), Math.round(at(2, 1, 1))], [45, 55]);
});
