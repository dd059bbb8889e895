/** Leases and sessions on a running cluster, through everything that breaks a renewal. */
import assert from "node:assert/strict";
import { once } from "node:events";

import { LeaseNotFoundError, SessionExpiredError } from "../../src/client/errors.ts";
import { Session } from "../../src/client/lease/session.ts";
import type { EtcdClient } from "../../src/client/client.ts";
import type { LiveCase } from "./live.ts";

/** The server raises what is less. */
const shortTtlSeconds = 2;
/** Longer than an election. */
const longTtlSeconds = 6;
const lateMsMax = 1_000;
const leaseCount = 2_000;

const callsCase: LiveCase = {
  name: "a lease is granted, looked at, listed, renewed and revoked",
  run: async (live) => {
    const { lease, kv } = live.client();
    const { id, ttlSeconds } = await lease.grant(100);
    assert.equal(ttlSeconds, 100);
    await kv.put("lease/key", "v", { lease: id });
    assert.equal((await lease.keepAliveOnce(id)).ttlSeconds, 100);
    const left = await lease.timeToLive(id, { keys: true });
    assert.equal(left.grantedTtlSeconds, 100);
    assert.ok(left.ttlSeconds > 90);
    assert.deepEqual(
      left.keys.map((key) => Buffer.from(key).toString()),
      ["lease/key"],
    );
    assert.ok((await lease.leases()).leases.includes(id));
    const own = await lease.grant(100, { id: 123n });
    assert.equal(own.id, 123n);
    await assert.rejects(lease.grant(100, { id: 123n }), /lease already exists/);
    for (const one of [id, 123n]) await lease.revoke(one);
    assert.equal((await kv.get("lease/key")).count, 0);
    assert.equal((await lease.timeToLive(id)).ttlSeconds, -1);
    await assert.rejects(lease.revoke(id), LeaseNotFoundError);
    await assert.rejects(lease.keepAliveOnce(id), LeaseNotFoundError);
  },
};

const cutsCase: LiveCase = {
  name: "a lease outlives its TTL while it is kept alive, through connections that break",
  run: async (live) => {
    const { lease } = live.client();
    const { id } = await lease.grant(shortTtlSeconds);
    const keepAlive = lease.keepAlive(id);
    const started = performance.now();
    for await (const answer of keepAlive) {
      assert.equal(answer.id, id);
      if (performance.now() - started > 2 * shortTtlSeconds * 1_000) break;
      live.cut(...live.cluster.members);
      await live.sideClient().kv.put("lease/other", "v");
      live.heal();
    }
    assert.equal(keepAlive.lost.aborted, false);
    assert.ok((await lease.timeToLive(id)).ttlSeconds >= 0);
    keepAlive.stop();
    await lease.revoke(id);
  },
};

const leaderCase: LiveCase = {
  name: "a lease is kept alive through the loss of its leader",
  run: async (live) => {
    const { lease } = live.client();
    const { id } = await lease.grant(longTtlSeconds);
    const keepAlive = lease.keepAlive(id);
    let answers = 0;
    for await (const answer of keepAlive) {
      assert.equal(answer.ttlSeconds, longTtlSeconds);
      if (++answers === 3) break;
      if (answers > 1) continue;
      const leader = await live.leader();
      await leader.end("SIGKILL");
      await leader.start();
    }
    assert.equal(answers, 3);
    assert.equal(keepAlive.lost.aborted, false);
    keepAlive.stop();
    await lease.revoke(id);
  },
};

/** Resolves when the key is deleted. */
async function deleted(client: EtcdClient, key: string, startRevision: number): Promise<void> {
  const watcher = client.watch.watch(key, { startRevision, noPut: true });
  for await (const { type } of watcher.events()) if (type === "delete") return;
}

const lostCase: LiveCase = {
  name: "a session that cannot renew is lost when its TTL is over, before the server's is",
  run: async (live) => {
    const client = live.client();
    const side = live.sideClient();
    const { id } = await client.lease.grant(shortTtlSeconds);
    const { header } = await client.kv.put("lease/held", "v", { lease: id });
    const answers = client.lease.keepAlive(id)[Symbol.asyncIterator]();
    const session = await Session.create(client, { leaseId: id });
    await answers.next();
    const answered = performance.now();
    let isDeleted = false;
    const end = deleted(side, "lease/held", header.revision + 1).then(() => (isDeleted = true));
    live.cut(...live.cluster.members);
    await once(session.lost, "abort");
    const tookMs = performance.now() - answered;
    assert.ok(session.lost.reason instanceof SessionExpiredError);
    assert.ok(Math.abs(tookMs - shortTtlSeconds * 1_000) <= lateMsMax, `${tookMs} ms`);
    assert.equal(isDeleted, false);
    await end;
    live.heal();
    await session.close(); // there is nothing left to revoke
  },
};

const revokedCase: LiveCase = {
  name: "a lease that somebody else revokes is lost, with its session",
  run: async (live) => {
    const client = live.client();
    const session = await Session.create(client, { ttlSeconds: shortTtlSeconds });
    const lost = once(session.lost, "abort");
    await live.sideClient().lease.revoke(session.leaseId);
    await lost;
    const { cause } = session.lost.reason as SessionExpiredError;
    assert.ok(cause instanceof LeaseNotFoundError);
  },
};

const closeCase: LiveCase = {
  name: "closing a session deletes its keys, orphaning it leaves them to the TTL",
  run: async (live) => {
    const client = live.client();
    const closed = await Session.create(client, { ttlSeconds: longTtlSeconds });
    const orphan = await Session.create(client, { ttlSeconds: shortTtlSeconds });
    await client.kv.put("lease/closed", "v", { lease: closed.leaseId });
    const { header } = await client.kv.put("lease/orphan", "v", { lease: orphan.leaseId });
    await closed.close();
    assert.equal((await client.kv.get("lease/closed")).count, 0);
    orphan.orphan();
    assert.equal((await client.kv.get("lease/orphan")).count, 1);
    await deleted(client, "lease/orphan", header.revision + 1);
  },
};

const manyCase: LiveCase = {
  name: "thousands of leases are kept alive over one stream",
  run: async (live) => {
    const { lease } = live.client();
    const ids: bigint[] = [];
    while (ids.length < leaseCount) {
      const some = Array.from({ length: 100 }, () => lease.grant(longTtlSeconds));
      for (const { id } of await Promise.all(some)) ids.push(id);
    }
    const handles = ids.map((id) => lease.keepAlive(id));
    const rounds = 4; // a third of the TTL apart: each would be gone without renewal
    await Promise.all(
      handles.map(async (handle) => {
        let left = rounds;
        for await (const answer of handle) if (answer.ttlSeconds > 0 && --left === 0) break;
        assert.equal(left, 0);
      }),
    );
    assert.ok(handles.every(({ lost }) => !lost.aborted));
    assert.equal((await lease.leases()).leases.length >= leaseCount, true);
  },
};

export const leaseSuite: readonly LiveCase[] = [
  callsCase,
  cutsCase,
  leaderCase,
  lostCase,
  revokedCase,
  closeCase,
  manyCase,
];
