import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeCluster } from "../../../test/client/fake-cluster.ts";
import {
  CanceledError,
  ConnectionError,
  ElectionNotLeaderError,
  SessionExpiredError,
} from "../errors.ts";
import { Session } from "../lease/session.ts";
import type { KeyValue } from "../types.ts";
import { Election, observeElection } from "./election.ts";

/** Values as they are observed; `next` waits for the one after those seen. */
function observer(values: AsyncIterable<KeyValue>): { next(): Promise<string> } {
  const iterator = values[Symbol.asyncIterator]();
  return {
    next: async () => {
      const { value } = (await iterator.next()) as { value: KeyValue };
      return value.string();
    },
  };
}

test("candidates lead in the order they came, when the one before resigns or is lost", async () => {
  const cluster = new FakeCluster();
  const sessions = await Promise.all([1, 2, 3].map(() => Session.create(cluster.client)));
  const [a, b, c] = sessions.map((session) => new Election(session, "e"));
  const first = await a!.campaign("a");
  const second = b!.campaign("b");
  await cluster.until(() => cluster.watchers.size === 1);
  const third = c!.campaign("c");
  await cluster.until(() => cluster.watchers.size === 2);
  assert.equal((await a!.leader())?.string(), "a");
  assert.equal(await first.resign(), true);
  const { revision } = await second;
  assert.ok(revision > first.revision);
  cluster.expire(sessions[1]!.leaseId);
  assert.equal((await second).lost.aborted, true);
  assert.ok((await third).revision > revision);
  assert.equal(await first.resign(), false);
  await assert.rejects(first.proclaim("late"), ElectionNotLeaderError);
});

test("an observer sees the present leader, what it proclaims and every hand-over", async () => {
  const cluster = new FakeCluster();
  const [one, two] = [await Session.create(cluster.client), await Session.create(cluster.client)];
  const end = new AbortController();
  const seen = observer(observeElection(cluster.client, "e", { signal: end.signal }));
  const first = seen.next(); // nobody leads yet
  const leader = await new Election(one, "e").campaign("one");
  assert.equal(await first, "one");
  const next = new Election(two, "e").campaign("two");
  const second = seen.next();
  await leader.proclaim("one again");
  assert.equal(await second, "one again");
  const third = seen.next();
  await leader.resign();
  assert.equal(await third, "two");
  await next;
  const last = seen.next();
  end.abort();
  await assert.rejects(last, TypeError); // the loop is over: there is no value
  assert.equal(cluster.watchers.size, 0);
});

test("an observer says nothing twice where history was compacted", async () => {
  const cluster = new FakeCluster();
  const election = new Election(await Session.create(cluster.client), "e");
  const leader = await election.campaign("1");
  const seen = observer(election.observe());
  assert.equal(await seen.next(), "1");
  for (let i = 0; i < 3; i++) await cluster.client.kv.put("other", String(i));
  cluster.compact();
  const next = seen.next();
  await cluster.until(() => cluster.watchers.size === 1);
  await leader.proclaim("2");
  assert.equal(await next, "2");
});

test("a campaign that is canceled leaves no candidate, unless another call made it", async () => {
  const cluster = new FakeCluster();
  const [one, two] = [await Session.create(cluster.client), await Session.create(cluster.client)];
  const leader = await new Election(one, "e").campaign("one");
  const controller = new AbortController();
  const campaign = new Election(two, "e").campaign("two", { signal: controller.signal });
  await cluster.until(() => cluster.watchers.size === 1);
  controller.abort();
  await assert.rejects(campaign, CanceledError);
  assert.deepEqual(cluster.keys(), [leader.key]);
  cluster.failTxns("after");
  await assert.rejects(new Election(two, "e").campaign("two"), ConnectionError);
  assert.deepEqual(cluster.keys(), [leader.key]);
  cluster.failTxns("after");
  await assert.rejects(new Election(one, "e").campaign("anew"), ConnectionError);
  assert.deepEqual(cluster.keys(), [leader.key]);
});

test("a second campaign of the leader gives the same leadership another value", async () => {
  const cluster = new FakeCluster();
  const election = new Election(await Session.create(cluster.client), "e");
  const first = await election.campaign("1");
  const second = await election.campaign("2");
  assert.equal(second.revision, first.revision);
  assert.equal((await election.leader())?.string(), "2");
  assert.equal(await election.resume(first.key, first.revision).resign(), true);
  assert.equal(await election.leader(), null);
});

test("a candidate whose session is lost is told so", async () => {
  const cluster = new FakeCluster();
  const [one, two] = [await Session.create(cluster.client), await Session.create(cluster.client)];
  await new Election(one, "e").campaign("one");
  const campaign = new Election(two, "e").campaign("two");
  await cluster.until(() => cluster.watchers.size === 1);
  cluster.expire(two.leaseId);
  await assert.rejects(campaign, SessionExpiredError);
});
