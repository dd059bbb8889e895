import assert from "node:assert/strict";
import { test } from "node:test";

import * as etcd from "../base/etcd-errors.ts";
import { grpcCode } from "../base/grpc-code.ts";
import * as errors from "./errors.ts";

test("every error of etcd becomes a class of its own, with its code and text", () => {
  const seen = new Set<unknown>();
  const general = new Set<unknown>([etcd.errCanceled, etcd.errDeadlineExceeded]);
  for (const value of Object.values(etcd)) {
    if (!(value instanceof etcd.EtcdError) || general.has(value)) continue;
    const error = errors.fromStatus(value.code, value.message);
    assert.deepEqual([error.code, error.message], [value.code, value.message]);
    assert.notEqual(error.constructor, errors.EtcdError, value.message);
    assert.ok(!seen.has(error.constructor), `${error.name} twice`);
    assert.equal(error.name, error.constructor.name);
    seen.add(error.constructor);
  }
  assert.ok(seen.size > 60);
});

test("the class follows the text, the code is the one that was sent", () => {
  const error = errors.fromStatus(grpcCode.unavailable, etcd.errNotCapable.message);
  assert.ok(error instanceof errors.NotCapableError);
  assert.deepEqual([error.code, error.retryable], [grpcCode.unavailable, true]);
});

test("a status without etcd's text is told apart by its code", () => {
  const cases: [number, unknown][] = [
    [grpcCode.canceled, errors.CanceledError],
    [grpcCode.deadlineExceeded, errors.TimeoutError],
    [grpcCode.unimplemented, errors.UnimplementedError],
    [grpcCode.resourceExhausted, errors.MessageTooLargeError],
    [grpcCode.dataLoss, errors.EtcdError],
  ];
  for (const [code, type] of cases) {
    const error = errors.fromStatus(code, "some text");
    assert.deepEqual([error.constructor, error.message], [type, "some text"]);
  }
});

test("what the moment caused can be retried, what the request caused cannot", () => {
  const retryable = [
    errors.fromStatus(grpcCode.unavailable, etcd.errNoLeader.message),
    errors.fromStatus(grpcCode.unknown, etcd.errRequestTooManyRequests.message),
    errors.fromStatus(grpcCode.unknown, etcd.errLeaderTransferTimeout.message),
    new errors.ConnectionError("h:1", "refused"),
    new errors.TimeoutError("late"),
  ];
  const final = [
    errors.fromStatus(grpcCode.outOfRange, etcd.errCompacted.message),
    errors.fromStatus(grpcCode.resourceExhausted, etcd.errNoSpace.message),
    new errors.CanceledError(),
    new errors.ClientClosedError(),
    new errors.WatchCompactedError(7),
  ];
  assert.ok(retryable.every((error) => error.retryable));
  assert.ok(final.every((error) => !error.retryable));
});

test("anything thrown can be read as an EtcdError that keeps its cause", () => {
  const known = new errors.TimeoutError("late");
  assert.equal(errors.EtcdError.from(known), known);
  assert.ok(errors.EtcdError.from(etcd.errNoLeader) instanceof errors.NoLeaderError);
  const aborted = new DOMException("stop", "AbortError");
  assert.ok(errors.EtcdError.from(aborted) instanceof errors.CanceledError);
  const other = new RangeError("odd");
  const wrapped = errors.EtcdError.from(other);
  assert.deepEqual([wrapped.message, wrapped.cause], ["odd", other]);
  assert.equal(errors.EtcdError.from("text").message, "text");
});

test("an error of the connection names endpoint and cause", () => {
  const error = new errors.ConnectionError("h:2379", "connect ECONNREFUSED", { cause: 1 });
  assert.equal(error.message, "No answer from h:2379: connect ECONNREFUSED");
  assert.deepEqual([error.endpoint, error.code, error.cause], ["h:2379", 14, 1]);
  const malformed = new errors.MalformedResponseError("h:1", "/s/M", new Error("short"));
  assert.match(malformed.message, /h:1.*\/s\/M.*short/u);
});
