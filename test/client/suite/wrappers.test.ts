// Namespace, ordering, leasing, mirror and Kubernetes' calls.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setImmediate } from "node:timers/promises";

import { compare } from "../../../src/client/compare.ts";
import * as errors from "../../../src/client/errors.ts";
import { op } from "../../../src/client/op.ts";
import { TxnDraft } from "../../../src/client/txn.ts";
import type { GetResult, Kv, WatchEvent } from "../../../src/client/types.ts";
import { KubernetesKv } from "../../../src/client/wrap/kubernetes.ts";
import { LeasingKv } from "../../../src/client/wrap/leasing.ts";
import { MirrorSyncer } from "../../../src/client/wrap/mirror.ts";
import { namespace } from "../../../src/client/wrap/namespace.ts";
import { OrderingKv } from "../../../src/client/wrap/ordering.ts";
import { collect, Target } from "./target.ts";

let target: Target;
before(async () => {
  target = await Target.start();
});
after(() => target.close());

const keysOf = ({ kvs }: GetResult): string[] => kvs.map((one) => one.keyString());

test("a namespace shows its keys without the prefix, and no others", async () => {
  const { client } = target;
  const ns = namespace(client, "ns/");
  await client.kv.put("ns", "outside");
  await client.kv.put("ns0", "outside");
  await ns.kv.put("a", "1");
  await ns.kv.do(op.txn([compare.exists("a")], [op.put("b", "2"), op.put("c", "3")]));
  assert.deepEqual(keysOf(await client.kv.get("ns/", { prefix: true })), ["ns/a", "ns/b", "ns/c"]);
  assert.deepEqual(keysOf(await ns.kv.get("", { prefix: true })), ["a", "b", "c"]);
  assert.deepEqual(keysOf(await ns.kv.get("b", { fromKey: true })), ["b", "c"]);
  assert.deepEqual(keysOf(await ns.kv.get("a", { rangeEnd: "c" })), ["a", "b"]);
  const streamed = await collect(ns.kv.stream("", { prefix: true }));
  assert.equal(streamed.map((one) => one.keyString() + one.string()).join(), "a1,b2,c3");
  const nested = await ns.kv
    .txn()
    .if(compare.version("", { prefix: true }).equals(1))
    .then(op.txn([], [op.get("c"), op.delete("a", { prevKv: true })]))
    .commit();
  assert.ok(nested.succeeded);
  const [got, gone] = nested.responses[0].responses;
  assert.ok(got?.kind === "get" && gone?.kind === "delete");
  assert.deepEqual([keysOf(got), gone.prevKvs[0]?.keyString()], [["c"], "a"]);
  await assert.rejects(ns.kv.put("", "x"), errors.EmptyKeyError);
  assert.equal((await ns.kv.delete("", { fromKey: true })).deleted, 2);
  assert.equal((await client.kv.get("ns", { prefix: true })).count, 2);
});

test("a namespace's watches and leases speak of its keys", async () => {
  const { client } = target;
  const ns = namespace(client, "wn/");
  const watcher = ns.watch.watch("", { prefix: true, prevKv: true });
  await watcher.created;
  const { id } = await ns.lease.grant(600);
  await client.kv.put("wn0", "outside", { lease: id });
  await ns.kv.put("a", "1", { lease: id });
  await ns.kv.put("a", "2", { lease: id });
  const seen: WatchEvent[] = [];
  for await (const event of watcher.events()) {
    seen.push(event);
    if (seen.length === 2) break;
  }
  assert.deepEqual(
    seen.map(({ kv, prevKv }) => [kv.keyString(), kv.string(), prevKv?.keyString()]),
    [
      ["a", "1", undefined],
      ["a", "2", "a"],
    ],
  );
  const { keys } = await ns.lease.timeToLive(id, { keys: true });
  assert.deepEqual(
    keys.map((key) => Buffer.from(key).toString()),
    ["a"],
  );
  await ns.lease.revoke(id);
});

test("ordered reads are at least as new as what was seen", async () => {
  const kv = new OrderingKv(target.client.kv);
  for (let i = 1; i <= 50; i++) {
    const { header } = await kv.put("ordered", String(i));
    const got = await kv.get("ordered", { serializable: true });
    assert.ok(got.header.revision >= header.revision);
    assert.equal(got.kvs[0]?.string(), String(i));
  }
});

test("Kubernetes' calls write only what has not moved on", async () => {
  const kube = new KubernetesKv(target.client.kv);
  const made = await kube.optimisticPut("kube/a", "1", 0);
  assert.equal(made.succeeded, true);
  const late = await kube.optimisticPut("kube/a", "2", 0, { getOnFailure: true });
  assert.deepEqual([late.succeeded, late.kv?.string()], [false, "1"]);
  const next = await kube.optimisticPut("kube/a", "2", made.revision);
  assert.equal(next.succeeded, true);
  assert.equal((await kube.get("kube/a")).kv?.string(), "2");
  assert.equal((await kube.get("kube/a", { revision: made.revision })).kv?.string(), "1");
  assert.equal((await kube.get("kube/none")).kv, null);
  await kube.optimisticPut("kube/b", "3", 0);
  const page = await kube.list("kube/", { limit: 1 });
  assert.deepEqual([page.kvs[0]?.keyString(), page.count], ["kube/a", 2]);
  const rest = await kube.list("kube/", { continue: "kube/a\0", revision: page.revision });
  assert.deepEqual(
    rest.kvs.map((one) => one.keyString()),
    ["kube/b"],
  );
  assert.equal(await kube.count("kube/"), 2);
  const failed = await kube.optimisticDelete("kube/a", made.revision, { getOnFailure: true });
  assert.deepEqual([failed.succeeded, failed.kv?.string()], [false, "2"]);
  assert.equal((await kube.optimisticDelete("kube/a", next.revision)).succeeded, true);
  assert.equal(await kube.count("kube/"), 1);
});

test("a mirror gets what is there and then every change", async () => {
  const { client } = target;
  await client.kv.put("mir/a", "1");
  await client.kv.put("mir/b", "1");
  const syncer = new MirrorSyncer(client, "mir/");
  assert.throws(() => syncer.updates(), /read it first/);
  const copy = new Map<string, string>();
  for await (const kv of syncer.base()) {
    if (copy.size === 0) await client.kv.put("mir/c", "during");
    copy.set(kv.keyString(), kv.string());
  }
  assert.deepEqual([...copy.keys()], ["mir/a", "mir/b"]);
  await client.kv.delete("mir/a");
  await client.kv.put("mir/end", "1");
  for await (const { type, kv } of syncer.updates().events()) {
    if (type === "delete") copy.delete(kv.keyString());
    else copy.set(kv.keyString(), kv.string());
    if (kv.keyString() === "mir/end") break;
  }
  assert.deepEqual([...copy.keys()], ["mir/b", "mir/c", "mir/end"]);
});

/** Passes gets on and counts them. */
function counted(inner: Kv): { readonly kv: Kv; readonly reads: () => number } {
  let reads = 0;
  const kv: Kv = {
    get: (key, options) => {
      reads++;
      return inner.get(key, options);
    },
    put: (key, value, options) => inner.put(key, value, options),
    delete: (key, options) => inner.delete(key, options),
    compact: (revision, options) => inner.compact(revision, options),
    do: (one, options) => inner.do(one, options),
    txn: () => {
      reads++;
      return inner.txn();
    },
    stream: (key, options) => inner.stream(key, options),
  };
  return { kv, reads: () => reads };
}

async function leasing(prefix: string): Promise<{ kv: LeasingKv; reads: () => number }> {
  const { lease, watch, kv } = target.newClient();
  const count = counted(kv);
  const options = { ttlSeconds: 10, revokeBackoffMs: 0 };
  const client = { lease, watch, kv: count.kv };
  return { kv: await LeasingKv.create(client, prefix, options), reads: count.reads };
}

test("a leased key is read from memory, and its own writes are seen at once", async () => {
  const { client } = target;
  await client.kv.put("cached/a", "1");
  const { kv, reads } = await leasing("lease-a/");
  assert.equal((await kv.get("cached/a")).kvs[0]?.string(), "1");
  const before = reads();
  for (let i = 0; i < 10; i++) assert.equal((await kv.get("cached/a")).kvs[0]?.version, 1);
  assert.equal(reads(), before);
  const put = await kv.put("cached/a", "2", { prevKv: true });
  assert.equal(put.prevKv?.string(), "1");
  const [mine] = (await kv.get("cached/a")).kvs;
  const [theirs] = (await client.kv.get("cached/a")).kvs;
  assert.deepEqual(JSON.stringify(mine), JSON.stringify(theirs));
  assert.equal((await kv.get("cached/a", { keysOnly: true })).kvs[0]?.string(), "");
  assert.equal((await kv.get("cached/a", { countOnly: true })).count, 1);
  await kv.delete("cached/a");
  assert.equal((await kv.get("cached/a")).count, 0);
  await kv.close();
  assert.equal((await client.kv.get("lease-a/", { prefix: true })).count, 0);
});

test("a leased key that another client writes is never answered stale", async () => {
  const one = await leasing("lease-b/");
  const two = await leasing("lease-b/");
  for (let i = 1; i <= 10; i++) {
    const [writer, reader] = i % 2 === 0 ? [one.kv, two.kv] : [two.kv, one.kv];
    await reader.get("shared");
    await writer.put("shared", String(i));
    assert.equal((await reader.get("shared")).kvs[0]?.string(), String(i));
  }
  await one.kv.close();
  await two.kv.close();
});

test("a cache whose session is lost reads from the server, then leases anew", async () => {
  const { client } = target;
  const { kv, reads } = await leasing("lease-e/");
  await kv.put("lost", "1");
  await kv.get("lost");
  const [leasingKey] = (await client.kv.get("lease-e/lost")).kvs;
  const gone = client.watch.watch("lease-e/lost", {
    startRevision: leasingKey!.modRevision + 1,
  });
  await client.lease.revoke(leasingKey!.lease);
  for await (const { type } of gone.events()) {
    assert.equal(type, "delete");
    break;
  }
  await client.kv.put("lost", "2");
  // The cache hears of it a moment later: until then it may still be sure of its lease.
  while ((await kv.get("lost")).kvs[0]?.string() !== "2") await setImmediate();
  let before = -1;
  while (reads() !== before) {
    before = reads();
    assert.equal((await kv.get("lost")).kvs[0]?.string(), "2");
  }
  await kv.close();
});

test("an acquisition whose answer is lost holds nobody up", async () => {
  const { client } = target;
  const { lease, watch, kv } = target.newClient();
  let lost = 1;
  const inner: Kv = {
    ...counted(kv).kv,
    txn: () =>
      new TxnDraft(async (txn, options) => {
        const result = await kv.do(txn, options);
        if (lost-- > 0) throw new errors.ConnectionError("here", "the answer was lost");
        return result;
      }),
  };
  const flaky = await LeasingKv.create({ lease, watch, kv: inner }, "lease-f/", {
    ttlSeconds: 600,
  });
  await assert.rejects(flaky.get("f"), errors.ConnectionError);
  const { kv: other } = await leasing("lease-f/");
  await other.put("f", "1");
  assert.equal((await flaky.get("f")).kvs[0]?.string(), "1");
  assert.equal((await client.kv.get("f")).kvs[0]?.string(), "1");
  await flaky.close();
  await other.close();
});

test("transactions and deletes of ranges keep leased keys right", async () => {
  const one = await leasing("lease-c/");
  const two = await leasing("lease-c/");
  await one.kv.put("t/a", "1");
  await one.kv.get("t/a");
  await two.kv.get("t/b");
  const moved = await one.kv
    .txn()
    .if(compare.value("t/a").equals("1"))
    .then(op.put("t/b", "2"), op.delete("t/a"))
    .commit();
  assert.ok(moved.succeeded);
  assert.equal(moved.responses[1].deleted, 1);
  assert.equal((await two.kv.get("t/b")).kvs[0]?.string(), "2");
  assert.equal((await one.kv.get("t/a")).count, 0);
  await two.kv.get("t/b");
  assert.equal((await one.kv.delete("t/", { prefix: true })).deleted, 1);
  assert.equal((await two.kv.get("t/b")).count, 0);
  assert.equal((await one.kv.get("t/b")).count, 0);
  await one.kv.close();
  await two.kv.close();
});

test("a counter in leased keys loses no step between three clients", async () => {
  const clients = await Promise.all([1, 2, 3].map(() => leasing("lease-d/")));
  const steps = 5;
  const increment = async (kv: LeasingKv): Promise<void> => {
    for (let done = 0; done < steps;) {
      const [now] = (await kv.get("counter")).kvs;
      const result = await kv
        .txn()
        .if(compare.mod("counter").equals(now?.modRevision ?? 0))
        .then(op.put("counter", String(Number(now?.string() ?? "0") + 1)))
        .commit();
      if (result.succeeded) done++;
    }
  };
  await Promise.all(clients.map(({ kv }) => increment(kv)));
  const [total] = (await target.client.kv.get("counter")).kvs;
  assert.equal(total?.string(), String(clients.length * steps));
  await Promise.all(clients.map(({ kv }) => kv.close()));
});
