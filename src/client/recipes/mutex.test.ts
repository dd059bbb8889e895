import assert from "node:assert/strict";
import { test } from "node:test";

import { createRandom } from "../../base/random.ts";
import { FakeCluster } from "../../../test/client/fake-cluster.ts";
import { turn } from "../../../test/client/fake-watcher.ts";
import { CanceledError, ConnectionError, SessionExpiredError } from "../errors.ts";
import { Session } from "../lease/session.ts";
import { op } from "../op.ts";
import { Mutex } from "./mutex.ts";

function sessionOf(cluster: FakeCluster): Promise<Session> {
  return Session.create(cluster.client, { ttlSeconds: 5 });
}

async function contend(cluster: FakeCluster, seed: number, fences: number[]): Promise<void> {
  const random = createRandom(seed);
  const holders = new Set<Session>();
  const contender = async (): Promise<void> => {
    let session = await sessionOf(cluster);
    for (let round = 0; round < 3; round++) {
      const lock = await new Mutex(session, "m").lock();
      assert.equal(holders.size, 0, "two sessions hold the lock");
      holders.add(session);
      fences.push(lock.fencingRevision);
      for (let turns = random.below(4); turns > 0; turns--) await turn();
      holders.delete(session);
      if (random.below(3) > 0) assert.equal(await lock.unlock(), true);
      else {
        cluster.expire(session.leaseId);
        assert.equal(lock.lost.aborted, true);
        session = await sessionOf(cluster);
      }
    }
  };
  await Promise.all(Array.from({ length: 6 }, contender));
}

test("contenders hold a lock one at a time, though sessions are lost", async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const fences: number[] = [];
    const cluster = new FakeCluster(seed);
    await contend(cluster, seed, fences);
    assert.equal(fences.length, 18);
    assert.deepEqual(
      fences,
      [...new Set(fences)].sort((a, b) => a - b),
    );
    assert.deepEqual(cluster.keys(), []);
  }
});

test("a lock's key is the lease in hexadecimal below the name, as Go's", async () => {
  const cluster = new FakeCluster();
  const session = await Session.create(cluster.client, { leaseId: -2n });
  cluster.model.leaseGrant(-2n);
  const lock = await new Mutex(session, "m").lock();
  assert.equal(lock.key, "m/fffffffffffffffe");
  assert.deepEqual(cluster.keys(), [lock.key]);
});

test("trying a lock that is held gives null and leaves no key", async () => {
  const cluster = new FakeCluster();
  const [one, two] = [await sessionOf(cluster), await sessionOf(cluster)];
  const lock = await new Mutex(one, "m").tryLock();
  assert.ok(lock);
  assert.equal(await new Mutex(two, "m").tryLock(), null);
  assert.deepEqual(cluster.keys(), [lock.key]);
  await lock.unlock();
  assert.notEqual(await new Mutex(two, "m").tryLock(), null);
});

test("a wait that is canceled leaves no key, and who waits behind gets the lock", async () => {
  const cluster = new FakeCluster();
  const sessions = await Promise.all([1, 2, 3].map(() => sessionOf(cluster)));
  const [one, two, three] = sessions.map((session) => new Mutex(session, "m"));
  const first = await one!.lock();
  const controller = new AbortController();
  const second = two!.lock({ signal: controller.signal });
  await cluster.until(() => cluster.watchers.size === 1);
  const third = three!.lock();
  await cluster.until(() => cluster.watchers.size === 2);
  controller.abort();
  await assert.rejects(second, CanceledError);
  await first.unlock();
  const { fencingRevision } = await third;
  assert.ok(fencingRevision > first.fencingRevision);
  assert.equal(cluster.keys("m/").length, 1);
  assert.equal(cluster.watchers.size, 0);
});

test("a session that is lost while it waits ends the wait", async () => {
  const cluster = new FakeCluster();
  const [one, two] = [await sessionOf(cluster), await sessionOf(cluster)];
  await new Mutex(one, "m").lock();
  const waiting = new Mutex(two, "m").lock();
  await cluster.until(() => cluster.watchers.size === 1);
  cluster.expire(two.leaseId);
  await assert.rejects(waiting, SessionExpiredError);
  await assert.rejects(new Mutex(two, "m").lock(), SessionExpiredError);
});

test("a lease not yet known to be gone ends the call the same way", async () => {
  const cluster = new FakeCluster();
  const session = await sessionOf(cluster);
  cluster.model.leaseRevoke(session.leaseId);
  assert.equal(session.isOver, false);
  await assert.rejects(new Mutex(session, "m").lock(), SessionExpiredError);
});

test("a call that breaks leaves no key of its own, but that of another call", async () => {
  const cluster = new FakeCluster();
  const session = await sessionOf(cluster);
  const mutex = new Mutex(session, "m");
  cluster.failTxns("after");
  await assert.rejects(mutex.lock(), ConnectionError);
  assert.deepEqual(cluster.keys(), []);
  const lock = await mutex.lock();
  for (const fault of ["before", "after"] as const) {
    cluster.failTxns(fault);
    await assert.rejects(mutex.lock(), ConnectionError);
    assert.equal(await lock.isHeld(), true);
  }
});

test("unlocking what was lost does not release the next holder's lock", async () => {
  const cluster = new FakeCluster();
  const session = await sessionOf(cluster);
  const lost = await new Mutex(session, "m").lock();
  await cluster.client.kv.delete(lost.key);
  const next = await new Mutex(session, "m").lock();
  assert.equal(next.key, lost.key);
  assert.equal(await lost.isHeld(), false);
  assert.equal(await lost.unlock(), false);
  assert.equal(await next.isHeld(), true);
});

test("a write that names the lock is refused after the lock was lost", async () => {
  const cluster = new FakeCluster();
  const { kv } = cluster.client;
  const session = await sessionOf(cluster);
  const lock = await new Mutex(session, "m").lock();
  const write = (value: string) => kv.txn().if(lock.isOwner()).then(op.put("k", value)).commit();
  assert.equal((await write("1")).succeeded, true);
  cluster.expire(session.leaseId);
  assert.equal((await write("2")).succeeded, false);
});

test("a wait goes on where the history it watches was compacted", async () => {
  const cluster = new FakeCluster();
  const [one, two] = [await sessionOf(cluster), await sessionOf(cluster)];
  const first = await new Mutex(one, "m").lock();
  const second = new Mutex(two, "m").lock();
  await cluster.until(() => cluster.keys("m/").length === 2);
  for (let i = 0; i < 4; i++) await cluster.client.kv.put("other", String(i));
  cluster.compact();
  await first.unlock();
  cluster.compact();
  assert.equal((await second).key, cluster.keys("m/")[0]);
});
