import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { utf8 } from "../../base/bytes.ts";
import type { Logger } from "../../base/log.ts";
import { confChangeType, type ConfChangeEntry } from "../../codec/conf-change.ts";
import type { Bucket, View } from "../backend/backend.ts";
import { Cluster } from "./cluster.ts";
import { encodeMember, encodePromotion, type Member } from "./member.ts";
import {
  errIdExists,
  errIdNotFound,
  errIdRemoved,
  errLastVoter,
  errLearnersFull,
  errNotLearner,
  errPeerUrlTaken,
} from "./member-error.ts";

const nothing = (): undefined => undefined;
const silent = { info: nothing, warn: nothing, error: nothing } as unknown as Logger;
const none = new Uint8Array(0);
const { addNode, removeNode, updateNode, addLearnerNode } = confChangeType;

/** Rows in memory, written and read as the backend would. */
class Rows {
  readonly rows = new Map<string, string>();
  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.rows.set(`${bucket}/${text(key)}`, text(value));
  }
  delete(bucket: Bucket, key: Uint8Array): void {
    this.rows.delete(`${bucket}/${text(key)}`);
  }
  get view(): View {
    return {
      consistentIndex: 0,
      get: (bucket, key) => {
        const row = this.rows.get(`${bucket}/${text(key)}`);
        return row === undefined ? null : utf8(row);
      },
      range: (bucket, _from, _to, visit) => {
        for (const [key, value] of [...this.rows].sort()) {
          if (key.startsWith(`${bucket}/`)) visit(utf8(key.slice(bucket.length + 1)), utf8(value));
        }
      },
      close: nothing,
    };
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function create(rows = new Rows(), learnersMax = 1): { cluster: Cluster; rows: Rows } {
  const ids = { clusterId: 1n, localId: 1n };
  return { cluster: new Cluster(ids, rows, { log: silent, learnersMax }), rows };
}

const member = (id: bigint, more: Partial<Member> = {}): Member => ({
  ...{ id, peerUrls: [`http://h${id}:1`], isLearner: false, name: "", clientUrls: [] },
  ...more,
});

const change = (type: number, nodeId: bigint, context: string | null): ConfChangeEntry => ({
  ...{ id: 0n, type, nodeId, context: context === null ? none : utf8(context) },
});
const add = (id: bigint, more: Partial<Member> = {}): ConfChangeEntry =>
  change(addNode, id, encodeMember(member(id, more)));
const addLearner = (id: bigint, more: Partial<Member> = {}): ConfChangeEntry =>
  change(addLearnerNode, id, encodeMember(member(id, { isLearner: true, ...more })));
const promote = (id: bigint): ConfChangeEntry => change(addNode, id, encodePromotion(id));
const remove = (id: bigint): ConfChangeEntry => change(removeNode, id, null);
const update = (id: bigint, url: string): ConfChangeEntry =>
  change(updateNode, id, encodeMember(member(id, { peerUrls: [url] })));

suite("a change of the membership", () => {
  test("is refused where etcd refuses it, and then changes nothing", () => {
    const { cluster, rows } = create();
    for (const entry of [add(1n), add(2n), addLearner(3n), add(9n), remove(9n)]) {
      assert.equal(cluster.apply(entry), null);
    }
    const before = new Map(rows.rows);
    assert.equal(cluster.apply(add(9n)), errIdRemoved);
    assert.equal(cluster.apply(remove(9n)), errIdRemoved);
    assert.equal(cluster.apply(update(9n, "http://x:1")), errIdRemoved);
    assert.equal(cluster.apply(add(2n, { peerUrls: ["http://x:1"] })), errIdExists);
    assert.equal(cluster.apply(add(4n, { peerUrls: ["http://h2:1"] })), errPeerUrlTaken);
    assert.equal(cluster.apply(update(2n, "http://h1:1")), errPeerUrlTaken);
    assert.equal(cluster.apply(addLearner(4n)), errLearnersFull);
    assert.equal(cluster.apply(promote(4n)), errIdNotFound);
    assert.equal(cluster.apply(promote(2n)), errNotLearner);
    assert.equal(cluster.apply(remove(4n)), errIdNotFound);
    assert.equal(cluster.apply(update(4n, "http://x:1")), errIdNotFound);
    assert.deepEqual(rows.rows, before);
  });

  test("never removes the last voter, learners or not", () => {
    const { cluster } = create();
    cluster.apply(add(1n));
    cluster.apply(addLearner(2n));
    assert.equal(cluster.apply(remove(1n)), errLastVoter);
    assert.equal(cluster.apply(remove(2n)), null);
    assert.equal(cluster.apply(remove(1n)), errLastVoter);
  });

  test("admits as many learners as --max-learners says", () => {
    const { cluster } = create(new Rows(), 2);
    cluster.apply(add(1n));
    assert.equal(cluster.apply(addLearner(2n)), null);
    assert.equal(cluster.apply(addLearner(3n)), null);
    assert.equal(cluster.apply(addLearner(4n)), errLearnersFull);
    assert.equal(cluster.apply(promote(2n)), null);
    assert.equal(cluster.apply(addLearner(4n)), null);
  });

  test("tells its listener in order, of the local member too", () => {
    const { cluster } = create();
    const heard: string[] = [];
    cluster.addListener({
      added: (m) => heard.push(`added ${m.id} ${m.peerUrls.join()}`),
      removed: (id) => heard.push(`removed ${id}`),
      updated: (m) => heard.push(`updated ${m.id} ${m.peerUrls.join()}`),
      versionChanged: (version) => heard.push(version),
    });
    for (const entry of [add(1n), add(2n), update(2n, "http://y:1"), remove(1n)]) {
      cluster.apply(entry);
    }
    cluster.setVersion("3.7.0");
    assert.deepEqual(heard, [
      ...["added 1 http://h1:1", "added 2 http://h2:1"],
      ...["updated 2 http://y:1", "removed 1", "3.7.0"],
    ]);
  });

  test("of another member than its context says stops the member", () => {
    const entry = change(addNode, 3n, encodeMember(member(4n)));
    assert.throws(() => create().cluster.apply(entry), /member 4 in the change of 3/);
    assert.throws(() => create().cluster.apply(change(7, 3n, null)), /unknown type 7/);
  });
});

suite("etcd's known bugs in the membership", () => {
  test("etcd-20793 (row 20): a promotion is in the one store, restart or not", () => {
    const { cluster, rows } = create();
    for (const entry of [add(1n), addLearner(2n)]) cluster.apply(entry);
    cluster.setAttributes(2n, "two", ["http://c:1"]);
    assert.equal(cluster.apply(promote(2n)), null);
    const expected = { name: "two", clientUrls: ["http://c:1"], isLearner: false };
    assert.deepEqual(cluster.member(2n), member(2n, expected));
    const again = create(rows).cluster;
    again.load(rows.view);
    assert.deepEqual(again.members(), cluster.members());
  });

  test("etcd-20967 (row 21): the row of a removed member does not bring it back", () => {
    const { cluster, rows } = create();
    for (const entry of [add(1n), add(2n)]) cluster.apply(entry);
    const row = rows.rows.get("members/2")!;
    cluster.apply(remove(2n));
    rows.rows.set("members/2", row); // left over, as by an upgrade
    const again = create(rows).cluster;
    again.load(rows.view);
    assert.deepEqual(
      again.members().map((m) => m.id),
      [1n],
    );
    assert.equal(again.isRemoved(2n), true);
    assert.equal(rows.rows.has("members/2"), false);
    assert.equal(again.apply(add(2n)), errIdRemoved);
  });

  test("etcd-21694 (row 22): an update touches nothing but the URLs", () => {
    const { cluster } = create();
    for (const entry of [add(1n), addLearner(2n)]) cluster.apply(entry);
    cluster.setAttributes(2n, "two", ["http://c:1"]);
    assert.equal(cluster.apply(update(2n, "http://new:1")), null);
    assert.deepEqual(
      cluster.member(2n),
      member(2n, {
        ...{ peerUrls: ["http://new:1"], isLearner: true },
        ...{ name: "two", clientUrls: ["http://c:1"] },
      }),
    );
  });
});

test("the local member knows whether it is a learner, restarted or promoted", () => {
  const { cluster, rows } = create();
  cluster.apply(add(2n));
  cluster.apply(addLearner(1n));
  assert.equal(cluster.isLocalLearner, true);
  const again = create(rows).cluster;
  again.load(rows.view);
  assert.equal(again.isLocalLearner, true);
  again.apply(promote(1n));
  assert.equal(again.isLocalLearner, false);
});

test("a version and a downgrade are loaded as they were set", () => {
  const { cluster, rows } = create();
  cluster.setVersion("3.7.0");
  cluster.setDowngrade({ targetVersion: "3.6.0", isEnabled: true });
  assert.equal(rows.rows.get("cluster/downgrade"), '{"target-version":"3.6.0","enabled":true}');
  const again = create(rows).cluster;
  again.load(rows.view);
  assert.equal(again.version, "3.7.0");
  assert.deepEqual(again.downgrade, { targetVersion: "3.6.0", isEnabled: true });
});

const ids = fc.bigInt({ min: 1n, max: 6n });
const hosts = fc.integer({ min: 1, max: 4 }).map((n) => ({ peerUrls: [`http://p${n}:1`] }));
const anyChange = fc.oneof(
  fc.tuple(ids, hosts).map(([id, more]) => add(id, more)),
  fc.tuple(ids, hosts).map(([id, more]) => addLearner(id, more)),
  ids.map(promote),
  ids.map(remove),
  fc.tuple(ids, hosts).map(([id, { peerUrls }]) => update(id, peerUrls[0]!)),
);

test("whatever changes come, rows and memory agree, ids stay gone, and there is a voter", () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 40 }), (changes) => {
      const { cluster, rows } = create();
      cluster.apply(add(1n, { peerUrls: ["http://p0:1"] }));
      const gone = new Set<bigint>();
      for (const entry of changes) {
        const before = JSON.stringify([...rows.rows]);
        const refusal = cluster.apply(entry);
        if (refusal !== null) assert.equal(JSON.stringify([...rows.rows]), before);
        else if (entry.type === removeNode) gone.add(entry.nodeId);
        for (const id of gone) assert.equal(cluster.member(id), undefined); // C2
        assert.ok(cluster.voters().length > 0); // C4
        assert.ok(cluster.learners <= 1);
        const urls = cluster.members().flatMap((m) => m.peerUrls);
        assert.equal(new Set(urls).size, urls.length);
      }
      const again = create(rows).cluster;
      again.load(rows.view);
      assert.deepEqual(again.members(), cluster.members()); // C1
      for (const id of gone) assert.ok(again.isRemoved(id));
    }),
    { numRuns: 300 },
  );
});
