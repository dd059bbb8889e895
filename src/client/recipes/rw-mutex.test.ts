import assert from "node:assert/strict";
import { test } from "node:test";

import { createRandom } from "../../base/random.ts";
import { FakeCluster } from "../../../test/client/fake-cluster.ts";
import { turn } from "../../../test/client/fake-watcher.ts";
import { CanceledError, ConnectionError } from "../errors.ts";
import { Session } from "../lease/session.ts";
import { RwMutex } from "./rw-mutex.ts";

/** Everybody locks a few times, for reading or writing; sessions are lost now and then. */
async function run(seed: number): Promise<{ mostReaders: number }> {
  const cluster = new FakeCluster(seed);
  const random = createRandom(seed);
  let readers = 0;
  let writers = 0;
  let mostReaders = 0;
  const user = async (): Promise<void> => {
    let session = await Session.create(cluster.client);
    for (let round = 0; round < 3; round++) {
      const isWriter = random.below(3) === 0;
      const mutex = new RwMutex(session, "rw");
      const lock = isWriter ? await mutex.writeLock() : await mutex.readLock();
      if (isWriter) writers++;
      else readers++;
      mostReaders = Math.max(mostReaders, readers);
      assert.ok(writers === 0 || (writers === 1 && readers === 0), "a writer is not alone");
      for (let turns = random.below(6); turns > 0; turns--) await turn();
      if (isWriter) writers--;
      else readers--;
      if (random.below(4) > 0) assert.equal(await lock.unlock(), true);
      else {
        cluster.expire(session.leaseId);
        session = await Session.create(cluster.client);
      }
    }
  };
  await Promise.all(Array.from({ length: 6 }, user));
  assert.deepEqual(cluster.keys(), []);
  return { mostReaders };
}

test("writers are alone and readers are together", async () => {
  let mostReaders = 0;
  for (let seed = 1; seed <= 8; seed++) {
    mostReaders = Math.max(mostReaders, (await run(seed)).mostReaders);
  }
  assert.ok(mostReaders > 1);
});

test("a reader behind a waiting writer waits, so the writer does not starve", async () => {
  const cluster = new FakeCluster();
  const mutex = new RwMutex(await Session.create(cluster.client), "rw");
  const first = await mutex.readLock();
  const writer = mutex.writeLock();
  await cluster.until(() => cluster.watchers.size === 1);
  const second = mutex.readLock();
  await cluster.until(() => cluster.watchers.size === 2);
  await first.unlock();
  const write = await writer;
  await write.unlock();
  assert.ok((await second).fencingRevision > write.fencingRevision);
});

test("the keys are those of Go's recipe", async () => {
  const cluster = new FakeCluster();
  const mutex = new RwMutex(await Session.create(cluster.client), "rw");
  assert.match((await mutex.readLock()).key, /^rw\/read\/\d{19}$/);
  const writer = mutex.writeLock();
  await cluster.until(() => cluster.watchers.size === 1);
  assert.match(cluster.keys("rw/write/")[0]!, /^rw\/write\/\d{19}$/);
  await cluster.client.kv.delete("rw/read/", { prefix: true });
  await writer;
});

test("a call that is canceled or breaks leaves no key", async () => {
  const cluster = new FakeCluster();
  const mutex = new RwMutex(await Session.create(cluster.client), "rw");
  const reader = await mutex.readLock();
  const controller = new AbortController();
  const writer = mutex.writeLock({ signal: controller.signal });
  await cluster.until(() => cluster.watchers.size === 1);
  controller.abort();
  await assert.rejects(writer, CanceledError);
  cluster.failTxns("after");
  await assert.rejects(mutex.readLock(), ConnectionError);
  assert.deepEqual(cluster.keys(), [reader.key]);
});
