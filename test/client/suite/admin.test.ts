// Cluster, maintenance, auth, lock and election.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import * as errors from "../../../src/client/errors.ts";
import { lacks, memberCount, Target } from "./target.ts";

let target: Target;
before(async () => {
  // The strict check wants members that have been healthy for 5 s before one is added.
  target = await Target.start(["--strict-reconfig-check=false"]);
});
after(() => target.close());

test("the members are listed, and a learner comes and goes", async () => {
  const { cluster } = target.client;
  const { members, header } = await cluster.memberList();
  assert.equal(members.length, memberCount);
  assert.deepEqual(
    members.map((member) => member.name).sort(),
    target.cluster.members.map((member) => member.name).sort(),
  );
  assert.ok(members.some((member) => member.id === header.memberId));
  const added = await cluster.memberAdd(["http://127.0.0.1:1"], { isLearner: true });
  const id = added.member!.id;
  assert.equal(added.member?.isLearner, true);
  assert.equal(added.members.length, memberCount + 1);
  const updated = await cluster.memberUpdate(id, ["http://127.0.0.1:2"]);
  assert.deepEqual(updated.members.find((member) => member.id === id)?.peerUrls, [
    "http://127.0.0.1:2",
  ]);
  await assert.rejects(cluster.memberPromote(id), errors.LearnerNotReadyError);
  assert.equal((await cluster.memberRemove(id)).members.length, memberCount);
  await assert.rejects(cluster.memberRemove(id), errors.MemberNotFoundError);
});

test("every member tells its status, and their hashes are equal", async () => {
  const { kv, maintenance } = target.client;
  const { header } = await kv.put("hashed", "1");
  const hashes = new Set<number>();
  for (const endpoint of target.endpoints) {
    await kv.get("hashed");
    const status = await maintenance.status({ endpoint });
    assert.equal(status.version, "3.7.1");
    assert.ok(status.dbSize >= status.dbSizeInUse && status.dbSizeInUse > 0);
    assert.ok(status.raftIndex >= status.raftAppliedIndex && status.raftAppliedIndex > 0);
    assert.notEqual(status.leader, 0n);
    assert.equal(status.isLearner, false);
    const kvHash = await hashWhenThere(endpoint, header.revision);
    hashes.add(kvHash);
  }
  assert.equal(hashes.size, 1);
});

/** A member that lags has not seen the revision yet: asked again, it has. */
async function hashWhenThere(endpoint: string, revision: number): Promise<number> {
  for (;;) {
    try {
      return (await target.client.maintenance.hashKv({ endpoint, revision })).hash;
    } catch (error) {
      if (!(error instanceof errors.FutureRevisionError)) throw error;
    }
  }
}

test("a member is defragmented and hashed", async () => {
  const { maintenance } = target.client;
  const [endpoint] = target.endpoints;
  assert.notEqual((await maintenance.defragment({ endpoint: endpoint! })).header, undefined);
  assert.equal(typeof (await maintenance.hash({ endpoint: endpoint! })).hash, "number");
});

test("alarms are raised, listed, felt and lowered", async () => {
  const { kv, maintenance } = target.client;
  const { header } = await maintenance.status();
  const alarm = { memberId: header.memberId, alarm: "nospace" } as const;
  assert.deepEqual((await maintenance.alarmArm(alarm)).alarms, [alarm]);
  assert.deepEqual((await maintenance.alarmList()).alarms, [alarm]);
  await assert.rejects(kv.put("full", "1"), errors.NoSpaceError);
  assert.deepEqual((await maintenance.alarmDisarm()).alarms, [alarm]);
  assert.deepEqual((await maintenance.alarmList()).alarms, []);
  await kv.put("full", "1");
});

test("leadership moves", { skip: memberCount === 1 }, async () => {
  const { maintenance } = target.client;
  const endpoint = await target.leaderEndpoint();
  const other = target.endpoints.find((one) => one !== endpoint)!;
  const { memberId } = (await maintenance.status({ endpoint: other })).header;
  await maintenance.moveLeader(memberId, { endpoint });
  assert.equal((await maintenance.status({ endpoint: other })).leader, memberId);
  await assert.rejects(maintenance.moveLeader(memberId, { endpoint }), errors.NotLeaderError);
});

test("a downgrade is validated", { skip: lacks("downgrade") }, async () => {
  const { maintenance } = target.client;
  assert.match((await maintenance.downgrade("validate", "3.6")).version, /^3\.7/);
  const wrong = maintenance.downgrade("validate", "3.2");
  await assert.rejects(wrong, errors.DowngradeTargetVersionError);
});

test("a snapshot is saved with its checksum", async () => {
  const folder = mkdtempSync(join(tmpdir(), "quorate-client-"));
  try {
    const path = join(folder, "snapshot.db");
    let received = 0;
    const saved = await target.client.maintenance
      .snapshot({ endpoint: target.endpoints[0]! })
      .saveTo(path, { onProgress: ({ receivedBytes }) => (received = receivedBytes) });
    assert.equal(statSync(path).size, saved.bytes);
    assert.equal(received, saved.bytes);
    assert.equal(saved.version, "3.7.0");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a lock is waited for, and passes on", { skip: lacks("lock") }, async () => {
  const { lease, lock } = target.client;
  const [one, two] = [(await lease.grant(600)).id, (await lease.grant(600)).id];
  const first = await lock.lock("lock", one);
  const order: string[] = [];
  const second = lock.lock("lock", two).then((result) => {
    order.push("second");
    return result;
  });
  order.push("unlocked");
  await lock.unlock(first.key);
  assert.notDeepEqual((await second).key, first.key);
  assert.deepEqual(order, ["unlocked", "second"]);
  await lease.revoke(one);
  await lease.revoke(two);
});

test("an election has a leader and an end", { skip: lacks("election") }, async () => {
  const { election, lease } = target.client;
  await assert.rejects(election.leader("vote"), errors.ElectionNoLeaderError);
  const { id } = await lease.grant(600);
  const { leader } = await election.campaign("vote", id, "me");
  assert.equal(leader.lease, id);
  assert.equal((await election.leader("vote")).kv?.string(), "me");
  await election.proclaim(leader, "still me");
  for await (const { kv } of election.observe("vote")) {
    assert.equal(kv?.string(), "still me");
    break;
  }
  await election.resign(leader);
  await assert.rejects(election.leader("vote"), errors.ElectionNoLeaderError);
  await assert.rejects(election.proclaim(leader, "again"), errors.ElectionNotLeaderError);
  await lease.revoke(id);
});

test("users have passwords, roles have ranges", { skip: lacks("auth") }, async () => {
  const { auth, kv } = target.client;
  assert.equal((await auth.status()).isEnabled, false);
  await auth.userAdd("root", "rootpw");
  await auth.roleAdd("root");
  await auth.userGrantRole("root", "root");
  await auth.userAdd("ann", "annpw");
  await assert.rejects(auth.userAdd("ann", "annpw"), errors.UserExistsError);
  await auth.roleAdd("app");
  await auth.roleGrantPermission("app", "readwrite", "app/", { prefix: true });
  await auth.userGrantRole("ann", "app");
  assert.deepEqual((await auth.userGet("ann")).roles, ["app"]);
  assert.deepEqual((await auth.userList()).users, ["ann", "root"]);
  assert.deepEqual((await auth.roleList()).roles, ["app", "root"]);
  const [permission] = (await auth.roleGet("app")).permissions;
  assert.equal(permission?.type, "readwrite");
  assert.equal(Buffer.from(permission.rangeEnd).toString(), "app0");
  await auth.enable();
  const root = target.newClient({ username: "root", password: "rootpw" });
  try {
    const ann = target.newClient({ username: "ann", password: "annpw" });
    await ann.kv.put("app/a", "1");
    await assert.rejects(ann.kv.put("other", "1"), errors.PermissionDeniedError);
    await assert.rejects(ann.auth.roleAdd("x"), errors.PermissionDeniedError);
    const wrong = target.newClient({ username: "ann", password: "wrong" });
    await assert.rejects(wrong.kv.get("app/a"), errors.AuthFailedError);
    await assert.rejects(kv.get("app/a"), errors.UserEmptyError);
    const { token } = await root.auth.authenticate("ann", "annpw");
    assert.notEqual(token, "");
    await root.auth.userChangePassword("ann", "newpw");
    const again = target.newClient({ username: "ann", password: "newpw" });
    assert.equal((await again.kv.get("app/a")).kvs[0]?.string(), "1");
    await root.auth.roleRevokePermission("app", "app/", { prefix: true });
    await assert.rejects(again.kv.get("app/a"), errors.PermissionDeniedError);
    await root.auth.userRevokeRole("ann", "app");
    await root.auth.roleDelete("app");
    await root.auth.userDelete("ann");
  } finally {
    await root.auth.disable();
  }
});

// Fails when a service appears: then its test above can run.
test("a service that a member lacks is said to be unknown", { skip: !lacks("auth") }, async () => {
  const { auth, election, lock, maintenance } = target.client;
  for (const call of [
    () => auth.status(),
    () => lock.lock("l", 0n),
    () => election.leader("e"),
    () => maintenance.downgrade("cancel"),
  ]) {
    await assert.rejects(call(), errors.UnimplementedError);
  }
});
