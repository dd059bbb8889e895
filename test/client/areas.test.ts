// What each method of the smaller areas sends, and where.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import { AuthArea } from "../../src/client/auth.ts";
import { ClusterArea } from "../../src/client/cluster.ts";
import { ElectionArea } from "../../src/client/election.ts";
import { InvalidInputError } from "../../src/client/input.ts";
import { LockArea } from "../../src/client/lock.ts";
import { MaintenanceArea } from "../../src/client/maintenance.ts";
import { Permission_Type } from "../../src/gen/auth_pb.js";
import * as election from "../../src/gen/election_pb.js";
import * as locks from "../../src/gen/lock_pb.js";
import * as pb from "../../src/gen/rpc_pb.js";
import { FakeCaller } from "./fake-caller.ts";

const caller = new FakeCaller(() => new Uint8Array(0));
const auth = new AuthArea(caller);
const cluster = new ClusterArea(caller);
const maintenance = new MaintenanceArea(caller);
const lock = new LockArea(caller);
const elections = new ElectionArea(caller);

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

interface Sent {
  readonly call: () => Promise<unknown>;
  /** As in HTTP/2, without the package. */
  readonly path: string;
  readonly retry: "read" | "write" | "never";
  readonly desc: DescMessage;
  readonly wanted: Message;
}

function sends<D extends DescMessage>(
  call: () => Promise<unknown>,
  to: readonly [path: string, retry: Sent["retry"]],
  desc: D,
  wanted: MessageInitShape<D>,
): Sent {
  return { call, path: to[0], retry: to[1], desc, wanted: create(desc, wanted) };
}

const url = "http://a:2380";
const huge = 2n ** 64n - 1n;
const leader = { name: bytes("e"), key: bytes("e/7"), revision: 4, lease: 7n };
const leaderPb = { name: bytes("e"), key: bytes("e/7"), rev: 4n, lease: 7n };
const { NOSPACE, CORRUPT } = pb.AlarmType;

const clusterCalls = [
  sends(() => cluster.memberList(), ["Cluster/MemberList", "read"], pb.MemberListRequestSchema, {
    linearizable: true,
  }),
  sends(
    () => cluster.memberList({ isLinearizable: false }),
    ["Cluster/MemberList", "read"],
    pb.MemberListRequestSchema,
    {},
  ),
  sends(
    () => cluster.memberAdd([url], { isLearner: true }),
    ["Cluster/MemberAdd", "write"],
    pb.MemberAddRequestSchema,
    { peerURLs: [url], isLearner: true },
  ),
  sends(
    () => cluster.memberRemove(huge),
    ["Cluster/MemberRemove", "write"],
    pb.MemberRemoveRequestSchema,
    { ID: huge },
  ),
  sends(
    () => cluster.memberUpdate(5n, [url]),
    ["Cluster/MemberUpdate", "write"],
    pb.MemberUpdateRequestSchema,
    { ID: 5n, peerURLs: [url] },
  ),
  sends(
    () => cluster.memberPromote(5n),
    ["Cluster/MemberPromote", "write"],
    pb.MemberPromoteRequestSchema,
    { ID: 5n },
  ),
];

const maintenanceCalls = [
  sends(() => maintenance.status(), ["Maintenance/Status", "read"], pb.StatusRequestSchema, {}),
  sends(
    () => maintenance.defragment(),
    ["Maintenance/Defragment", "never"],
    pb.DefragmentRequestSchema,
    {},
  ),
  sends(() => maintenance.hash(), ["Maintenance/Hash", "read"], pb.HashRequestSchema, {}),
  sends(
    () => maintenance.hashKv({ revision: 9 }),
    ["Maintenance/HashKV", "read"],
    pb.HashKVRequestSchema,
    { revision: 9n },
  ),
  sends(
    () => maintenance.moveLeader(huge),
    ["Maintenance/MoveLeader", "read"],
    pb.MoveLeaderRequestSchema,
    { targetID: huge },
  ),
  sends(() => maintenance.alarmList(), ["Maintenance/Alarm", "read"], pb.AlarmRequestSchema, {}),
  sends(
    () => maintenance.alarmArm({ memberId: 3n, alarm: "nospace" }),
    ["Maintenance/Alarm", "read"],
    pb.AlarmRequestSchema,
    { action: pb.AlarmRequest_AlarmAction.ACTIVATE, memberID: 3n, alarm: NOSPACE },
  ),
  sends(
    () => maintenance.alarmDisarm({ memberId: 3n, alarm: "corrupt" }),
    ["Maintenance/Alarm", "read"],
    pb.AlarmRequestSchema,
    { action: pb.AlarmRequest_AlarmAction.DEACTIVATE, memberID: 3n, alarm: CORRUPT },
  ),
  sends(
    () => maintenance.downgrade("enable", "3.6"),
    ["Maintenance/Downgrade", "write"],
    pb.DowngradeRequestSchema,
    { action: pb.DowngradeRequest_DowngradeAction.ENABLE, version: "3.6" },
  ),
];

const userCalls = [
  sends(() => auth.enable(), ["Auth/AuthEnable", "write"], pb.AuthEnableRequestSchema, {}),
  sends(() => auth.disable(), ["Auth/AuthDisable", "write"], pb.AuthDisableRequestSchema, {}),
  sends(() => auth.status(), ["Auth/AuthStatus", "read"], pb.AuthStatusRequestSchema, {}),
  sends(
    () => auth.authenticate("u", "p"),
    ["Auth/Authenticate", "read"],
    pb.AuthenticateRequestSchema,
    { name: "u", password: "p" },
  ),
  sends(() => auth.userAdd("u", "p"), ["Auth/UserAdd", "write"], pb.AuthUserAddRequestSchema, {
    ...{ name: "u", password: "p" },
    options: { noPassword: false },
  }),
  sends(
    () => auth.userAdd("u", { hashed: "h" }),
    ["Auth/UserAdd", "write"],
    pb.AuthUserAddRequestSchema,
    { name: "u", hashedPassword: "h", options: { noPassword: false } },
  ),
  sends(() => auth.userAdd("u", null), ["Auth/UserAdd", "write"], pb.AuthUserAddRequestSchema, {
    name: "u",
    options: { noPassword: true },
  }),
  sends(() => auth.userGet("u"), ["Auth/UserGet", "read"], pb.AuthUserGetRequestSchema, {
    name: "u",
  }),
  sends(() => auth.userDelete("u"), ["Auth/UserDelete", "write"], pb.AuthUserDeleteRequestSchema, {
    name: "u",
  }),
  sends(() => auth.userList(), ["Auth/UserList", "read"], pb.AuthUserListRequestSchema, {}),
  sends(
    () => auth.userChangePassword("u", "q"),
    ["Auth/UserChangePassword", "write"],
    pb.AuthUserChangePasswordRequestSchema,
    { name: "u", password: "q" },
  ),
  sends(
    () => auth.userGrantRole("u", "r"),
    ["Auth/UserGrantRole", "write"],
    pb.AuthUserGrantRoleRequestSchema,
    { user: "u", role: "r" },
  ),
  sends(
    () => auth.userRevokeRole("u", "r"),
    ["Auth/UserRevokeRole", "write"],
    pb.AuthUserRevokeRoleRequestSchema,
    { name: "u", role: "r" },
  ),
];

const roleCalls = [
  sends(() => auth.roleAdd("r"), ["Auth/RoleAdd", "write"], pb.AuthRoleAddRequestSchema, {
    name: "r",
  }),
  sends(() => auth.roleDelete("r"), ["Auth/RoleDelete", "write"], pb.AuthRoleDeleteRequestSchema, {
    role: "r",
  }),
  sends(() => auth.roleGet("r"), ["Auth/RoleGet", "read"], pb.AuthRoleGetRequestSchema, {
    role: "r",
  }),
  sends(() => auth.roleList(), ["Auth/RoleList", "read"], pb.AuthRoleListRequestSchema, {}),
  sends(
    () => auth.roleGrantPermission("r", "readwrite", "k", { prefix: true }),
    ["Auth/RoleGrantPermission", "write"],
    pb.AuthRoleGrantPermissionRequestSchema,
    {
      name: "r",
      perm: { permType: Permission_Type.READWRITE, key: bytes("k"), rangeEnd: bytes("l") },
    },
  ),
  sends(
    () => auth.roleRevokePermission("r", "k", { fromKey: true }),
    ["Auth/RoleRevokePermission", "write"],
    pb.AuthRoleRevokePermissionRequestSchema,
    { role: "r", key: bytes("k"), rangeEnd: Uint8Array.of(0) },
  ),
];

const recipeCalls = [
  sends(() => lock.lock("l", 7n), ["Lock/Lock", "write"], locks.LockRequestSchema, {
    name: bytes("l"),
    lease: 7n,
  }),
  sends(() => lock.unlock("l/7"), ["Lock/Unlock", "write"], locks.UnlockRequestSchema, {
    key: bytes("l/7"),
  }),
  sends(
    () => elections.campaign("e", 7n, "v"),
    ["Election/Campaign", "write"],
    election.CampaignRequestSchema,
    { name: bytes("e"), lease: 7n, value: bytes("v") },
  ),
  sends(
    () => elections.proclaim(leader, "w"),
    ["Election/Proclaim", "write"],
    election.ProclaimRequestSchema,
    { leader: leaderPb, value: bytes("w") },
  ),
  sends(() => elections.leader("e"), ["Election/Leader", "read"], election.LeaderRequestSchema, {
    name: bytes("e"),
  }),
  sends(
    () => elections.resign(leader),
    ["Election/Resign", "write"],
    election.ResignRequestSchema,
    { leader: leaderPb },
  ),
];

for (const sent of [
  ...clusterCalls,
  ...maintenanceCalls,
  ...userCalls,
  ...roleCalls,
  ...recipeCalls,
]) {
  test(`${sent.call.toString().replace(/^\(\) => /u, "")} sends its request`, async () => {
    caller.calls.length = 0;
    await sent.call();
    const call = caller.calls[0]!;
    assert.deepEqual(fromBinary(sent.desc, call.request), sent.wanted);
    assert.match(call.path, new RegExp(`pb\\.${sent.path}$`, "u"));
    assert.equal(call.retry, sent.retry);
  });
}

test("calls about one member go to the endpoint named", async () => {
  caller.calls.length = 0;
  await maintenance.status({ endpoint: "b:2379" });
  await maintenance.defragment({ endpoint: "c:2379", timeoutMs: 9 });
  await maintenance.hashKv();
  const asked = caller.calls.map((call) => [call.endpoint, call.options?.timeoutMs]);
  assert.deepEqual(asked, [
    ["b:2379", undefined],
    ["c:2379", 9],
    ["", Infinity],
  ]);
});

test("disarming without naming an alarm lowers all there are", async () => {
  const raised = [
    { memberID: 1n, alarm: NOSPACE },
    { memberID: 2n, alarm: CORRUPT },
  ];
  const fake = new FakeCaller(({ request }) => {
    const asked = fromBinary(pb.AlarmRequestSchema, request);
    const isList = asked.action === pb.AlarmRequest_AlarmAction.GET;
    const alarms = isList ? raised : [{ memberID: asked.memberID, alarm: asked.alarm }];
    return toBinary(pb.AlarmResponseSchema, create(pb.AlarmResponseSchema, { alarms }));
  });
  assert.deepEqual((await new MaintenanceArea(fake).alarmDisarm()).alarms, [
    { memberId: 1n, alarm: "nospace" },
    { memberId: 2n, alarm: "corrupt" },
  ]);
  assert.equal(fake.calls.length, 3);
});

test("ids that are none are refused before anything is sent", async () => {
  caller.calls.length = 0;
  for (const id of [-1n, 2n ** 64n, 5 as unknown as bigint]) {
    await assert.rejects(cluster.memberRemove(id), InvalidInputError);
    await assert.rejects(maintenance.moveLeader(id), InvalidInputError);
  }
  await assert.rejects(lock.lock("l", 2n ** 63n), InvalidInputError);
  assert.equal(caller.calls.length, 0);
});

test("an election is observed as a stream", async () => {
  const part = (value: string): Uint8Array => {
    const schema = election.LeaderResponseSchema;
    return toBinary(schema, create(schema, { kv: { key: bytes("e/7"), value: bytes(value) } }));
  };
  const fake = new FakeCaller(
    () => new Uint8Array(0),
    (stream) => {
      stream.receive(part("a"));
      stream.receive(part("b"));
      stream.finish(null);
    },
  );
  const seen: (string | undefined)[] = [];
  for await (const { kv } of new ElectionArea(fake).observe("e")) seen.push(kv?.string());
  assert.deepEqual(seen, ["a", "b"]);
  assert.deepEqual(
    fromBinary(election.LeaderRequestSchema, fake.streams[0]!.sent[0]!).name,
    bytes("e"),
  );
});
