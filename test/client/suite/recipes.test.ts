// Recipes on a real cluster; what interleaves how is explored in src/client/recipes with a fake.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { EtcdClient } from "../../../src/client/client.ts";
import { CanceledError, SessionExpiredError } from "../../../src/client/errors.ts";
import { Session } from "../../../src/client/lease/session.ts";
import { op } from "../../../src/client/op.ts";
import { Barrier } from "../../../src/client/recipes/barrier.ts";
import { DoubleBarrier } from "../../../src/client/recipes/double-barrier.ts";
import { Election, observeElection } from "../../../src/client/recipes/election.ts";
import { Mutex } from "../../../src/client/recipes/mutex.ts";
import { PriorityQueue, Queue } from "../../../src/client/recipes/queue.ts";
import { RwMutex } from "../../../src/client/recipes/rw-mutex.ts";
import { stm, type Isolation } from "../../../src/client/recipes/stm.ts";
import { lacks, Target } from "./target.ts";

let target: Target;
let client: EtcdClient;
before(async () => {
  target = await Target.start();
  client = target.client;
});
after(() => target.close());

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

const newSession = (): Promise<Session<EtcdClient>> => Session.create(client, { ttlSeconds: 10 });

test("contenders hold a lock one at a time, though sessions are lost", async () => {
  // Storage beside etcd that takes no write with a lower token than it has seen.
  const fences: number[] = [];
  const holders = new Set<number>();
  const contender = async (id: number): Promise<void> => {
    let session = await newSession();
    for (let round = 0; round < 5; round++) {
      const lock = await new Mutex(session, "suite/mutex").lock();
      assert.equal(holders.size, 0, "two contenders hold the lock");
      holders.add(id);
      fences.push(lock.fencingRevision);
      await client.kv.txn().if(lock.isOwner()).then(op.put("suite/guarded", "")).commit();
      holders.delete(id);
      if ((id + round) % 4 > 0) assert.equal(await lock.unlock(), true);
      else {
        await client.lease.revoke(session.leaseId); // as if it had expired
        assert.equal(await lock.isHeld(), false);
        await session.close();
        session = await newSession();
      }
    }
    await session.close();
  };
  await Promise.all(times(12, contender));
  assert.equal(fences.length, 60);
  assert.deepEqual(
    fences,
    [...new Set(fences)].sort((a, b) => a - b),
  );
});

test(
  "the mutex shares its keys with the server's lock service",
  { skip: lacks("lock") },
  async () => {
    const [mine, theirs] = [await newSession(), await newSession()];
    const lock = await new Mutex(mine, "suite/shared").lock();
    const served = client.lock.lock("suite/shared", theirs.leaseId);
    const other = new Mutex(await newSession(), "suite/shared");
    assert.equal(await other.tryLock(), null);
    await lock.unlock();
    const { key } = await served;
    assert.match(new TextDecoder().decode(key), /^suite\/shared\/[0-9a-f]+$/);
    assert.equal(await other.tryLock(), null);
    await client.lock.unlock(key);
    assert.notEqual(await other.tryLock(), null);
  },
);

test("a session that loses its lease ends its wait for a lock", async () => {
  const [one, two] = [await newSession(), await newSession()];
  await new Mutex(one, "suite/lost").lock();
  const waiting = assert.rejects(new Mutex(two, "suite/lost").lock(), SessionExpiredError);
  await client.lease.revoke(two.leaseId);
  await waiting;
  await one.close();
  await two.close();
});

test("readers share a lock that a writer has alone", async () => {
  const session = await newSession();
  const mutex = new RwMutex(session, "suite/rw");
  const readers = await Promise.all(times(3, () => mutex.readLock()));
  const writer = mutex.writeLock();
  for (const reader of readers) await reader.unlock();
  const write = await writer;
  const late = mutex.readLock();
  await write.unlock();
  assert.ok((await late).fencingRevision > write.fencingRevision);
  await session.close();
});

test("leadership is handed over when a leader resigns or is lost", async () => {
  const end = new AbortController();
  const seen: string[] = [];
  const observed = (async () => {
    for await (const kv of observeElection(client, "suite/elect", { signal: end.signal })) {
      seen.push(kv.string());
      if (kv.string() === "c") end.abort();
    }
  })();
  const sessions = await Promise.all(times(3, newSession));
  const [a, b, c] = sessions.map((session) => new Election(session, "suite/elect"));
  const first = await a!.campaign("a");
  const second = b!.campaign("b");
  await first.proclaim("a again");
  await first.resign();
  const { revision } = await second;
  assert.ok(revision > first.revision);
  const third = c!.campaign("c");
  await sessions[1]!.close();
  assert.ok((await third).revision > revision);
  await observed;
  // Values may be skipped, but not their order, and the last one is there.
  assert.deepEqual(
    ["a", "a again", "b", "c"].filter((value) => seen.includes(value)),
    seen,
  );
  assert.equal(seen.at(-1), "c");
  for (const session of sessions) await session.close();
});

test(
  "the election shares its keys with the server's election service",
  { skip: lacks("election") },
  async () => {
    const [mine, theirs] = [await newSession(), await newSession()];
    const leader = await new Election(mine, "suite/served").campaign("mine");
    assert.equal((await client.election.leader("suite/served")).kv?.string(), "mine");
    const campaign = client.election.campaign("suite/served", theirs.leaseId, "theirs");
    await leader.resign();
    const { leader: key } = await campaign;
    assert.equal((await new Election(mine, "suite/served").leader())?.string(), "theirs");
    const next = new Election(mine, "suite/served").campaign("mine again");
    await client.election.resign(key);
    assert.ok((await next).revision > key.revision);
    await Promise.all([mine.close(), theirs.close()]);
  },
);

for (const isolation of ["serializableSnapshot", "serializable", "repeatableReads"] as const) {
  test(`concurrent transfers keep the sum of all accounts with ${isolation}`, async () => {
    assert.equal(await transfer(isolation), 300);
  });
}

test("transfers with readCommitted are whole, though one may overwrite another", async () => {
  await transfer("readCommitted"); // ends: there are no conflicts
  const { kvs } = await client.kv.get("suite/account/", { prefix: true });
  assert.equal(new Set(kvs.map(({ modRevision }) => modRevision)).size, 1);
});

async function transfer(isolation: Isolation): Promise<number> {
  const accounts = times(3, (i) => `suite/account/${i}`);
  for (const account of accounts) await client.kv.put(account, "100");
  const teller = async (id: number): Promise<void> => {
    for (let round = 0; round < 5; round++) {
      await stm(
        client.kv,
        async (t) => {
          const all = await Promise.all(accounts.map(async (key) => Number(await t.get(key))));
          for (const [i, key] of accounts.entries()) {
            t.put(key, String(all[i]! + (i === id % 3 ? 2 : -1)));
          }
        },
        { isolation, prefetch: round % 2 === 0 ? accounts : [] },
      );
    }
  };
  await Promise.all(times(6, teller));
  const { kvs } = await client.kv.get("suite/account/", { prefix: true });
  return kvs.reduce((total, kv) => total + Number(kv.string()), 0);
}

test("several takers get each element of a queue exactly once", async () => {
  const queue = new Queue(client, "suite/queue");
  const taken: string[] = [];
  const end = new AbortController();
  const taker = async (): Promise<void> => {
    for (;;) {
      taken.push((await queue.dequeue({ signal: end.signal })).string());
      if (taken.length === 60) end.abort();
    }
  };
  const takers = times(4, () => assert.rejects(taker(), CanceledError));
  const put = times(60, String);
  await Promise.all(put.map((value) => queue.enqueue(value)));
  await Promise.all(takers);
  assert.deepEqual(taken.sort(), put.sort());
});

test("a priority queue gives the most urgent element first", async () => {
  const queue = new PriorityQueue(client, "suite/urgent");
  await Promise.all([queue.enqueue("later", 9), queue.enqueue("now", 1)]);
  assert.equal((await queue.dequeue()).string(), "now");
  assert.equal((await queue.dequeue()).string(), "later");
});

test("a barrier opens for all, and a group enters and leaves together", async () => {
  const barrier = new Barrier(client, "suite/gate");
  await barrier.hold();
  const waiting = times(3, () => barrier.wait());
  await barrier.release();
  await Promise.all(waiting);
  const sessions = await Promise.all(times(4, newSession));
  let entered = 0;
  const member = async (session: Session): Promise<void> => {
    const double = new DoubleBarrier(session, "suite/group", 4);
    entered++;
    await double.enter();
    assert.equal(entered, 4);
    await double.leave();
  };
  await Promise.all(sessions.map(member));
  for (const session of sessions) await session.close();
});
