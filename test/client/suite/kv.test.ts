import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { compare } from "../../../src/client/compare.ts";
import * as errors from "../../../src/client/errors.ts";
import { op } from "../../../src/client/op.ts";
import type { Compare } from "../../../src/client/types.ts";
import { collect, Target } from "./target.ts";

let target: Target;
before(async () => {
  target = await Target.start();
});
after(() => target.close());

test("a key is put, read in every form, and deleted", async () => {
  const { kv } = target.client;
  const put = await kv.put("kv/a", '{"n":1}');
  assert.equal(put.prevKv, null);
  const got = await kv.get("kv/a");
  const [one] = got.kvs;
  assert.equal(one?.keyString(), "kv/a");
  assert.deepEqual(one.json(), { n: 1 });
  assert.equal(one.modRevision, put.header.revision);
  assert.equal(one.createRevision, put.header.revision);
  assert.equal(one.version, 1);
  assert.equal(got.count, 1);
  assert.notEqual(got.header.clusterId, 0n);
  const bytes = Uint8Array.of(0, 255, 128);
  const again = await kv.put("kv/a", bytes, { prevKv: true });
  assert.equal(again.prevKv?.string(), '{"n":1}');
  assert.deepEqual([...(await kv.get("kv/a")).kvs[0]!.value], [...bytes]);
  const gone = await kv.delete("kv/a", { prevKv: true });
  assert.equal(gone.deleted, 1);
  assert.equal(gone.prevKvs[0]?.version, 2);
  assert.deepEqual((await kv.get("kv/a")).kvs, []);
});

test("ranges take prefix, end, order, limit, filters and history", async () => {
  const { kv } = target.client;
  const revisions: number[] = [];
  for (const key of ["b", "a", "c"]) {
    revisions.push((await kv.put(`range/${key}`, key.repeat(3))).header.revision);
  }
  const names = async (options: Parameters<typeof kv.get>[1]): Promise<string> =>
    (await kv.get("range/", options)).kvs.map((one) => one.keyString().slice(6)).join("");
  assert.equal(await names({ prefix: true }), "abc");
  assert.equal(await names({ rangeEnd: "range/b" }), "a");
  assert.equal(await names({ fromKey: true, limit: 2 }), "ab");
  assert.equal(await names({ prefix: true, sort: { by: "mod" } }), "bac");
  assert.equal(await names({ prefix: true, sort: { by: "value", order: "descend" } }), "cba");
  assert.equal(await names({ prefix: true, revision: revisions[0]! }), "b");
  assert.equal(await names({ prefix: true, minModRevision: revisions[1]! }), "ac");
  assert.equal(await names({ prefix: true, maxCreateRevision: revisions[0]! }), "b");
  assert.equal(await names({ prefix: true, serializable: true, keysOnly: true }), "abc");
  const counted = await kv.get("range/", { prefix: true, countOnly: true });
  assert.deepEqual([counted.count, counted.kvs.length], [3, 0]);
  const page = await kv.get("range/", { prefix: true, limit: 1 });
  assert.deepEqual([page.more, page.count], [true, 3]);
  const deleted = await kv.delete("range/", { prefix: true, prevKv: true });
  assert.equal(deleted.prevKvs.map((one) => one.string()).join(), "aaa,bbb,ccc");
});

test("a put keeps the value or the lease when asked to", async () => {
  const { kv, lease } = target.client;
  const { id } = await lease.grant(600);
  await kv.put("kept", "v", { lease: id });
  await kv.put("kept", "w", { ignoreLease: true });
  const [both] = (await kv.get("kept")).kvs;
  assert.deepEqual([both?.string(), both?.lease], ["w", id]);
  await kv.put("kept", "", { ignoreValue: true });
  const [value] = (await kv.get("kept")).kvs;
  assert.deepEqual([value?.string(), value?.lease], ["w", 0n]);
  await lease.revoke(id);
});

test("a transaction runs one of its branches, with typed results", async () => {
  const { kv } = target.client;
  const create = (value: string) =>
    kv
      .txn()
      .if(compare.missing("txn/k"))
      .then(op.put("txn/k", value))
      .else(op.get("txn/k"), op.txn([compare.value("txn/k").equals("one")], [op.delete("txn/k")]))
      .commit();
  const first = await create("one");
  assert.ok(first.succeeded);
  assert.equal(first.responses[0].prevKv, null);
  const second = await create("two");
  assert.ok(!second.succeeded);
  const [read, inner] = second.responses;
  assert.equal(read.kvs[0]?.string(), "one");
  assert.equal(inner.succeeded, true);
  assert.deepEqual(
    inner.responses.map((one) => one.kind),
    ["delete"],
  );
  assert.equal((await kv.get("txn/k")).count, 0);
});

test("compares see versions, revisions, values, leases and ranges", async () => {
  const { kv } = target.client;
  const { header } = await kv.put("cmp/a", "m");
  await kv.put("cmp/b", "m");
  const holds = async (...compares: Compare[]): Promise<boolean> =>
    (await kv.do(op.txn(compares))).succeeded;
  assert.equal(await holds(compare.version("cmp/a").equals(1)), true);
  assert.equal(await holds(compare.mod("cmp/a").lessThan(header.revision)), false);
  assert.equal(await holds(compare.create("cmp/a").greaterThan(header.revision - 1)), true);
  assert.equal(await holds(compare.value("cmp/a").notEquals("m")), false);
  assert.equal(await holds(compare.lease("cmp/a").equals(0n)), true);
  assert.equal(await holds(compare.value("cmp/", { prefix: true }).equals("m")), true);
  assert.equal(await holds(compare.exists("cmp/a"), compare.missing("cmp/c")), true);
});

test("what etcd refuses is an error of its own class, with etcd's code and text", async () => {
  const { kv } = target.client;
  const { header } = await kv.put("err", "1");
  await kv.put("err", "2");
  await kv.compact(header.revision);
  await assert.rejects(kv.compact(header.revision), errors.CompactedError);
  await assert.rejects(kv.get("err", { revision: header.revision - 1 }), (error) => {
    assert.ok(error instanceof errors.CompactedError);
    assert.equal(error.code, 11);
    assert.equal(error.message, "etcdserver: mvcc: required revision has been compacted");
    assert.equal(error.retryable, false);
    return true;
  });
  await assert.rejects(kv.get("err", { revision: 2 ** 50 }), errors.FutureRevisionError);
  await assert.rejects(kv.get(""), errors.EmptyKeyError);
  await assert.rejects(kv.put("err", "", { lease: 12345n }), errors.LeaseNotFoundError);
  await assert.rejects(kv.put("err", "v", { ignoreValue: true }), errors.ValueProvidedError);
  const twice = kv.txn().then(op.put("err", "1"), op.put("err", "2")).commit();
  await assert.rejects(twice, errors.DuplicateKeyError);
  const many = Array.from({ length: 129 }, (_, i) => op.put(`many/${i}`, ""));
  await assert.rejects(kv.do(op.txn([], many)), errors.TooManyOpsError);
});

test("a compaction can wait until the old revisions are gone", async () => {
  const { kv } = target.client;
  const { header } = await kv.put("compact", "1");
  const done = await kv.compact(header.revision, { physical: true });
  assert.ok(done.header.revision >= header.revision);
});

test("a large range streams in order, at one revision", async () => {
  const { kv } = target.client;
  const wanted: string[] = [];
  for (let part = 0; part < 20; part++) {
    const keys = Array.from({ length: 100 }, (_, i) => `big/${String(part * 100 + i)}`);
    wanted.push(...keys);
    await kv.do(
      op.txn(
        [],
        keys.map((key) => op.put(key, key.padEnd(200, "."))),
      ),
    );
  }
  wanted.sort();
  const seen: string[] = [];
  for await (const one of kv.stream("big/", { prefix: true })) {
    if (seen.length === 0) await kv.put("big/9999", "too late");
    assert.equal(one.string().length, 200);
    seen.push(one.keyString());
  }
  assert.deepEqual(seen, wanted);
  const some = await collect(kv.stream("big/", { prefix: true, limit: 7, keysOnly: true }));
  assert.deepEqual(
    some.map((one) => one.keyString()),
    wanted.slice(0, 7),
  );
  const filtered = kv.stream("big/", { prefix: true, minModRevision: 2 ** 40 });
  assert.deepEqual(await collect(filtered), []);
});

test("a call ends with its signal and with its deadline", async () => {
  const { kv } = target.client;
  await assert.rejects(kv.get("a", { signal: AbortSignal.abort() }), errors.CanceledError);
  const { members } = target.cluster;
  for (const member of members) member.signal("SIGSTOP");
  try {
    await assert.rejects(kv.get("a", { timeoutMs: 100 }), errors.TimeoutError);
    const abort = new AbortController();
    const put = kv.put("a", "1", { signal: abort.signal });
    abort.abort(new Error("not any more"));
    await assert.rejects(put, errors.CanceledError);
  } finally {
    for (const member of members) member.signal("SIGCONT");
  }
});
