import assert from "node:assert/strict";
import { test } from "node:test";
import type { DescEnum, DescMessage, Message as PbMessage } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import * as auth from "../../src/codec/client/auth.ts";
import * as cluster from "../../src/codec/client/cluster.ts";
import * as lock from "../../src/codec/client/lock-election.ts";
import * as maintenance from "../../src/codec/client/maintenance.ts";
import { headerOnly, type Message } from "../../src/codec/client/schema.ts";
import * as election from "../../src/gen/election_pb.js";
import * as locks from "../../src/gen/lock_pb.js";
import * as pb from "../../src/gen/rpc_pb.js";
import { bytesOf, encodings, knownOf } from "./encodings.ts";

const tables: readonly (readonly [Message<object>, DescMessage])[] = [
  [headerOnly, pb.AuthEnableResponseSchema],
  [cluster.memberIdRequest, pb.MemberRemoveRequestSchema],
  [cluster.memberIdRequest, pb.MemberPromoteRequestSchema],
  [cluster.memberUpdateRequest, pb.MemberUpdateRequestSchema],
  [cluster.memberAddRequest, pb.MemberAddRequestSchema],
  [cluster.memberListRequest, pb.MemberListRequestSchema],
  [cluster.memberListResponse, pb.MemberListResponseSchema],
  [cluster.memberListResponse, pb.MemberRemoveResponseSchema],
  [cluster.memberAddResponse, pb.MemberAddResponseSchema],
  [maintenance.alarmRequest, pb.AlarmRequestSchema],
  [maintenance.alarmResponse, pb.AlarmResponseSchema],
  [maintenance.statusResponse, pb.StatusResponseSchema],
  [maintenance.hashResponse, pb.HashResponseSchema],
  [maintenance.hashKvRequest, pb.HashKVRequestSchema],
  [maintenance.hashKvResponse, pb.HashKVResponseSchema],
  [maintenance.snapshotResponse, pb.SnapshotResponseSchema],
  [maintenance.moveLeaderRequest, pb.MoveLeaderRequestSchema],
  [maintenance.downgradeRequest, pb.DowngradeRequestSchema],
  [maintenance.downgradeResponse, pb.DowngradeResponseSchema],
  [auth.authStatusResponse, pb.AuthStatusResponseSchema],
  [auth.authenticateRequest, pb.AuthenticateRequestSchema],
  [auth.authenticateResponse, pb.AuthenticateResponseSchema],
  [auth.userAddRequest, pb.AuthUserAddRequestSchema],
  [auth.userChangePasswordRequest, pb.AuthUserChangePasswordRequestSchema],
  [auth.nameRequest, pb.AuthUserGetRequestSchema],
  [auth.nameRequest, pb.AuthRoleDeleteRequestSchema],
  [auth.userRoleRequest, pb.AuthUserGrantRoleRequestSchema],
  [auth.userRoleRequest, pb.AuthUserRevokeRoleRequestSchema],
  [auth.roleGrantRequest, pb.AuthRoleGrantPermissionRequestSchema],
  [auth.roleRevokeRequest, pb.AuthRoleRevokePermissionRequestSchema],
  [auth.rolesResponse, pb.AuthUserGetResponseSchema],
  [auth.usersResponse, pb.AuthUserListResponseSchema],
  [auth.roleResponse, pb.AuthRoleGetResponseSchema],
  [lock.lockRequest, locks.LockRequestSchema],
  [lock.lockResponse, locks.LockResponseSchema],
  [lock.unlockRequest, locks.UnlockRequestSchema],
  [lock.campaignRequest, election.CampaignRequestSchema],
  [lock.campaignResponse, election.CampaignResponseSchema],
  [lock.proclaimRequest, election.ProclaimRequestSchema],
  [lock.leaderRequest, election.LeaderRequestSchema],
  [lock.resignRequest, election.ResignRequestSchema],
] as unknown as readonly (readonly [Message<object>, DescMessage])[];

/** Both forms of a message: ours has one property per field, in the order of field numbers. */
function assertSame(ours: object, theirs: PbMessage, desc: DescMessage, path: string): void {
  const fields = [...desc.fields].sort((a, b) => a.number - b.number);
  const entries = Object.entries(ours) as [string, unknown][];
  assert.equal(entries.length, fields.length, `${path} has another number of fields`);
  for (const [i, field] of fields.entries()) {
    const [name, value] = entries[i]!;
    const wanted = (theirs as unknown as Record<string, unknown>)[field.localName];
    const where = `${path}.${name}`;
    if (field.fieldKind === "list") {
      const [all, wantedAll] = [value as unknown[], wanted as unknown[]];
      assert.equal(all.length, wantedAll.length, where);
      for (const [at, one] of all.entries()) {
        assertValue(one, wantedAll[at], field, `${where}[${at}]`);
      }
    } else {
      assertValue(value, wanted, field, where);
    }
  }
}

type AnyField = Pick<DescMessage["fields"][number], "message" | "enum">;

function assertValue(value: unknown, wanted: unknown, field: AnyField, where: string): void {
  if (field.message !== undefined) {
    // A message that is not there is null, or as empty as one that is.
    if (wanted === undefined) assertNothing(value, where);
    else assertSame(value as object, wanted as PbMessage, field.message, where);
  } else if (field.enum !== undefined) {
    assert.equal(value, enumName(field.enum, wanted as number), where);
  } else if (wanted instanceof Uint8Array) {
    assert.deepEqual(Uint8Array.from(value as Uint8Array), Uint8Array.from(wanted), where);
  } else {
    assert.equal(typeof value === "number" ? BigInt(value) : value, wide(wanted), where);
  }
}

const wide = (value: unknown): unknown => (typeof value === "number" ? BigInt(value) : value);

function assertNothing(value: unknown, where: string): void {
  if (value === null) return;
  for (const one of Object.values(value as object)) {
    const isEmpty = one === 0 || one === 0n || (one as Uint8Array).length === 0;
    assert.ok(isEmpty, `${where} should be empty`);
  }
}

function enumName(desc: DescEnum, number: number): string {
  const name = desc.values.find((v) => v.number === number)?.name.toLowerCase();
  return name ?? `unknown ${number}`;
}

for (const [table, desc] of tables) {
  test(`${desc.name} is read and written as protobuf-es does`, () => {
    fc.assert(
      fc.property(encodings(desc, { allNumbers: false }), (encoding) => {
        const wanted = fromBinary(desc, knownOf(encoding));
        const value = table.decode(bytesOf(encoding));
        assertSame(value, wanted, desc, desc.name);
        assertSame(value, fromBinary(desc, table.encode(value)), desc, desc.name);
      }),
      { numRuns: 60 },
    );
  });
}
