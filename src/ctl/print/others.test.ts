import assert from "node:assert/strict";
import { test } from "node:test";

import { revokedText, showRole, showUser } from "./auth.ts";
import { showHashKv, showHealth, showStatus } from "./endpoints.ts";
import { showGrant, showKeepAlive, showRevoke, showTimeToLive } from "./lease.ts";
import { showAlarms, showDowngrade, showMemberAdd, showMembers } from "./members.ts";
import type { Shown, Style } from "./shown.ts";
import { render } from "./shown.ts";
import { statusResponse } from "../wire/schemas.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const header = { cluster_id: 1n, member_id: 10n, revision: 3n, raft_term: 2n };
const flat = `"cluster_id":1,"member_id":10,"revision":3,"raft_term":2`;

function text(shown: Shown, format: Style["format"], isHex = false): string {
  return new TextDecoder().decode(render(shown, { format, isHex }));
}

test("leases are printed with sixteen digits, and with the header flat in json", () => {
  const grant = showGrant({ header, ID: 0xabcn, TTL: 60n, error: "" });
  assert.equal(text(grant, "simple"), "lease 0000000000000abc granted with TTL(60s)\n");
  assert.equal(text(grant, "json"), `{${flat},"ID":2748,"TTL":60,"Error":""}\n`);
  assert.match(text(grant, "fields", true), /"ID" : 0000000000000abc\n"TTL" : 60\n$/);
  const revoked = showRevoke(0xabcn, { header });
  assert.equal(text(revoked, "simple"), "lease 0000000000000abc revoked\n");
  const renewed = showKeepAlive({ header, id: 0xabcn, ttl: 60n });
  assert.equal(text(renewed, "simple"), "lease 0000000000000abc keepalived with TTL(60)\n");
});

test("the rest of a lease's life is printed with its keys, or that it is over", () => {
  const keys = [utf8("a"), utf8("b")];
  const alive = showTimeToLive({ header, ID: 1n, TTL: 59n, grantedTTL: 60n, keys }, true);
  const id = "0000000000000001";
  const line = `lease ${id} granted with TTL(60s), remaining(59s), attached keys([a b])\n`;
  assert.equal(text(alive, "simple"), line);
  const rest = `"id":1,"ttl":59,"granted-ttl":60,"keys":["YQ==","Yg=="]`;
  assert.equal(text(alive, "json"), `{${flat},${rest}}\n`);
  const over = showTimeToLive({ header, ID: 1n, TTL: -1n, grantedTTL: 0n, keys: [] }, false);
  assert.equal(text(over, "simple"), `lease ${id} already expired\n`);
  assert.match(text(over, "json"), /"keys":null}\n$/);
});

const started = {
  ...{ ID: 0xan, name: "n1", isLearner: false },
  ...{ peerURLs: ["http://a:1"], clientURLs: ["http://a:2", "http://b:2"] },
};
const learner = { ID: 0xbn, name: "", peerURLs: ["http://c:1"], clientURLs: [], isLearner: true };

test("members are printed as lines, as a table and with ids in hexadecimal", () => {
  const members = showMembers({ header, members: [started, learner] });
  const lines =
    "a, started, n1, http://a:1, http://a:2,http://b:2, false\nb, unstarted, , http://c:1, , true\n";
  assert.equal(text(members, "simple"), lines);
  assert.match(text(members, "table"), /│ +a │ +started │ +n1 │ http:\/\/a:1 │/);
  const json = text(members, "json", true);
  assert.match(json, /^\{"header":\{"cluster_id":"1","member_id":"a","revision":3,"raft_term":2\}/);
  assert.match(json, /\{"ID":"b","peerURLs":\["http:\/\/c:1"\],"isLearner":true\}\]\}\n$/);
  const added = showMemberAdd({ header, member: learner, members: [learner, started] });
  const line = `Member ${"b".padStart(16)} added as learner to cluster ${"1".padStart(16)}\n`;
  assert.equal(text(added, "simple"), line);
});

test("alarms and downgrades are printed as etcdctl does", () => {
  const alarms = showAlarms({ header, alarms: [{ memberID: 10n, alarm: 1 }] });
  assert.equal(text(alarms, "simple"), "memberID:10 alarm:NOSPACE\n");
  assert.match(text(alarms, "fields"), /"MemberID" : 10\n"AlarmType" : NOSPACE\n\n$/);
  const line = "Downgrade validate success, cluster version 3.7\n";
  assert.equal(text(showDowngrade("validate", { header, version: "3.7" }), "simple"), line);
});

test("the state of endpoints is printed with sizes for people", () => {
  const response = {
    ...{ ...statusResponse.empty(), header, version: "3.7.1", storageVersion: "3.7.0" },
    ...{ dbSize: 24_576n, dbSizeInUse: 20_480n, dbSizeQuota: 2_147_483_648n, leader: 10n },
    ...{ raftIndex: 15n, raftTerm: 2n, raftAppliedIndex: 15n },
  };
  const line =
    "e:1, a, 3.7.1, 3.7.0, 25 kB, 20 kB, 17%, 2.1 GB, true, false, 2, 15, 15, , , false\n";
  assert.equal(text(showStatus([{ endpoint: "e:1", response }]), "simple"), line);
  assert.equal(text(showStatus([]), "json"), "null\n");
  const hash = { header, hash: 4_000_000_000, compact_revision: 1n, hash_revision: 3n };
  const hashes = showHashKv([{ endpoint: "e:1", response: hash }]);
  assert.equal(text(hashes, "simple"), "e:1, 4000000000, 3\n");
  assert.match(text(hashes, "table"), /HASH REVISION/);
  const health = showHealth([{ endpoint: "e:1", isHealthy: true, took: "2ms", error: "" }]);
  assert.equal(text(health, "json"), `[{"endpoint":"e:1","health":true,"took":"2ms"}]\n`);
});

test("permissions are printed as ranges, prefixes and open ends", () => {
  const perm = [
    { permType: 2, key: utf8("a"), range_end: utf8("b") },
    { permType: 1, key: utf8("k"), range_end: utf8("\0") },
    { permType: 0, key: utf8("one"), range_end: utf8("") },
  ];
  const lines = [
    ...["Role r", "KV Read:", "\t[a, b) (prefix a)", "\tone"],
    ...["KV Write:", "\t[a, b) (prefix a)", "\t[k, <open ended>", ""],
  ];
  assert.equal(text(showRole("r", { header, perm }), "simple"), lines.join("\n"));
  const root = "Role root\nKV Read:\n\t[, <open ended>\nKV Write:\n\t[, <open ended>\n";
  assert.equal(text(showRole("root", { header, perm: [] }), "simple"), root);
  assert.equal(
    text(showUser("u", { header, roles: ["a", "b"] }), "simple"),
    "User: u\nRoles: a b\n",
  );
  assert.equal(
    revokedText("r", "k", "\0"),
    "Permission of range [k, <open ended> is revoked from role r",
  );
  assert.equal(revokedText("r", "k", ""), "Permission of key k is revoked from role r");
});
