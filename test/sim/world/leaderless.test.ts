import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, type Asked } from "../../regress/cluster.ts";
import type { SimProcess } from "./process.ts";

const lease = "/etcdserverpb.Lease/LeaseGrant";

/** Every key was put once: what went into the log twice shows in its version. */
function assertPutOnce(cluster: Cluster, keys: readonly string[]): void {
  const answer = cluster.kv(cluster.leader, { kind: "range", key: "k", end: "l" });
  assert.ok(answer.kind === "range");
  const versions = answer.kvs.map(({ key, version }) => `${key} ${version}`);
  assert.deepEqual(versions.sort(), keys.map((key) => `${key} 1`).sort());
}

function errorsOf(asked: readonly Asked[]): (string | null)[] {
  return asked.map(({ error }) => error);
}

/** Begins to hand over, in a turn of the member's own. */
function handOver(cluster: Cluster, from: SimProcess, to: SimProcess): void {
  cluster.world.scheduler.after(0, from.life!, () => {
    from.core!.node.transferLeader(to.id);
  });
  cluster.pass(0);
}

test("writes sent while the leader is dead are answered after the election, each done once", () => {
  using cluster = new Cluster();
  cluster.put(cluster.leader, "a", "1");
  const { leader, followers } = cluster;
  const [here, other] = followers as [SimProcess, SimProcess];
  cluster.crash(leader, other);
  cluster.until("no leader is known", () => here.core!.node.leader === 0n);
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
  const asked = keys.map((key) => cluster.askKv(here, { kind: "put", key, value: key }));
  asked.push(cluster.ask(here, lease, new Uint8Array([0x08, 60])));
  cluster.pass(2000);
  assert.deepEqual(errorsOf(asked), new Array(21).fill(null));
  cluster.start(other);
  cluster.until("answers", () => asked.every(({ error }) => error !== null));
  assert.deepEqual(errorsOf(asked), new Array(21).fill(""));
  assertPutOnce(cluster, keys);
});

test("with nobody left a write ends after the request timeout with etcd's error, and is not done", () => {
  using cluster = new Cluster();
  const { leader, followers } = cluster;
  const [here, other] = followers as [SimProcess, SimProcess];
  cluster.crash(leader, other);
  cluster.until("no leader is known", () => here.core!.node.leader === 0n);
  const since = cluster.world.scheduler.now;
  const refused = cluster.refusal(here, { kind: "put", key: "k", value: "1" });
  assert.equal(refused, "context deadline exceeded");
  const tookMs = cluster.world.scheduler.now - since;
  assert.ok(tookMs >= 7000 && tookMs < 7300, `${tookMs} ms`); // 5 s, two elections, two ticks
  const read = cluster.refusal(here, { kind: "range", key: "k" });
  assert.equal(read, "etcdserver: request timed out");
  cluster.start(leader, other);
  assertPutOnce(cluster, []);
});

test("writes sent through all members during a hand-over wait for its end, each done once", () => {
  using cluster = new Cluster({ delayMs: 20 });
  cluster.put(cluster.leader, "a", "1");
  cluster.settle();
  const { leader, members } = cluster;
  const to = cluster.followers[0]!;
  const keys: string[] = [];
  const asked: Asked[] = [];
  const since = cluster.world.scheduler.now;
  for (let i = 0; i < 60; i++) {
    if (i === 20) handOver(cluster, leader, to);
    for (const [at, member] of members.entries()) {
      const key = `k${i}-${at}`;
      keys.push(key);
      asked.push(cluster.askKv(member, { kind: "put", key, value: key }));
    }
    cluster.pass(5);
  }
  cluster.until("answers", () => asked.every(({ error }) => error !== null));
  assert.deepEqual(errorsOf(asked), new Array(keys.length).fill(""));
  assert.equal(cluster.leader, to);
  const tookMs = cluster.world.scheduler.now - since;
  assert.ok(tookMs < 2000, `${tookMs} ms: no request was lost and timed out`);
  assertPutOnce(cluster, keys);
});

test("writes wait for a hand-over that is given up, each done once", () => {
  using cluster = new Cluster();
  cluster.put(cluster.leader, "a", "1");
  cluster.settle();
  const { leader } = cluster;
  const [to, other] = cluster.followers as [SimProcess, SimProcess];
  cluster.crash(to);
  handOver(cluster, leader, to);
  const keys = ["k1", "k2"];
  const asked = [leader, other].map((member, i) =>
    cluster.askKv(member, { kind: "put", key: keys[i]!, value: "1" }),
  );
  cluster.pass(800);
  assert.deepEqual(errorsOf(asked), [null, null]);
  cluster.pass(1000);
  assert.deepEqual(errorsOf(asked), ["", ""]);
  assert.equal(cluster.leader, leader);
  assertPutOnce(cluster, keys);
});
