import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeCluster } from "../../../test/client/fake-cluster.ts";
import { CanceledError, SessionExpiredError } from "../errors.ts";
import { Session } from "../lease/session.ts";
import { Barrier } from "./barrier.ts";
import { DoubleBarrier, TooManyClientsError } from "./double-barrier.ts";

test("all who wait at a barrier go on when it is released, and only then", async () => {
  const cluster = new FakeCluster();
  const barrier = new Barrier(cluster.client, "gate");
  await barrier.wait(); // nobody holds it
  assert.equal(await barrier.hold(), true);
  assert.equal(await barrier.hold(), false);
  let through = 0;
  const waiting = [1, 2, 3].map(() => barrier.wait().then(() => through++));
  await cluster.until(() => cluster.watchers.size === 3);
  assert.equal(through, 0);
  await barrier.release();
  await Promise.all(waiting);
});

test("a wait at a barrier ends with its signal", async () => {
  const cluster = new FakeCluster();
  const barrier = new Barrier(cluster.client, "gate");
  await barrier.hold();
  const controller = new AbortController();
  const waiting = barrier.wait({ signal: controller.signal });
  await cluster.until(() => cluster.watchers.size === 1);
  controller.abort();
  await assert.rejects(waiting, CanceledError);
  assert.equal(cluster.watchers.size, 0);
});

test("a group begins when all are there and ends when all have left", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const cluster = new FakeCluster(seed);
    const count = 4;
    const sessions = await Promise.all(
      Array.from({ length: count }, () => Session.create(cluster.client)),
    );
    for (let round = 0; round < 2; round++) {
      let arrived = 0;
      let left = 0;
      const run = async (session: Session): Promise<void> => {
        const barrier = new DoubleBarrier(session, "b", count);
        arrived++;
        await barrier.enter();
        assert.equal(arrived, count, "somebody went in alone");
        left++;
        await barrier.leave();
        assert.equal(left, count, "somebody left before the others");
      };
      await Promise.all(sessions.map(run));
      assert.deepEqual(cluster.keys(), []);
    }
  }
});

test("one beyond the group is refused and leaves no key", async () => {
  const cluster = new FakeCluster();
  const sessions = await Promise.all([1, 2, 3].map(() => Session.create(cluster.client)));
  const [a, b, c] = sessions.map((session) => new DoubleBarrier(session, "b", 2));
  await Promise.all([a!.enter(), b!.enter()]);
  await assert.rejects(c!.enter(), TooManyClientsError);
  assert.equal(cluster.keys("b/waiters/").length, 2);
});

test("the others leave without a member of the group whose session was lost", async () => {
  const cluster = new FakeCluster();
  const sessions = await Promise.all([1, 2, 3].map(() => Session.create(cluster.client)));
  const all = sessions.map((session) => new DoubleBarrier(session, "b", 3));
  await Promise.all(all.map((barrier) => barrier.enter()));
  const leaving = [all[0]!.leave(), all[1]!.leave()];
  await cluster.until(() => cluster.watchers.size === 2);
  cluster.expire(sessions[2]!.leaseId);
  await Promise.all(leaving);
  await assert.rejects(all[2]!.leave(), SessionExpiredError);
  assert.deepEqual(cluster.keys(), []);
});

test("what is left of a round that broke off does not open the next one", async () => {
  const cluster = new FakeCluster();
  await cluster.client.kv.put("b/ready", "");
  const session = await Session.create(cluster.client);
  const controller = new AbortController();
  const entering = new DoubleBarrier(session, "b", 2).enter({ signal: controller.signal });
  await cluster.until(() => cluster.watchers.size === 1);
  controller.abort();
  await assert.rejects(entering, CanceledError);
  assert.deepEqual(cluster.keys(), ["b/ready"]);
});
