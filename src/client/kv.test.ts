import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FakeCaller, type FakeStream } from "../../test/client/fake-caller.ts";
import * as pb from "../gen/rpc_pb.js";
import { compare } from "./compare.ts";
import { EtcdError, UnimplementedError } from "./errors.ts";
import { InvalidInputError } from "./input.ts";
import { KvArea } from "./kv.ts";
import { op } from "./op.ts";
import type { GetOptions } from "./types.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const texts = (list: readonly Uint8Array[]): string[] => list.map((b) => Buffer.from(b).toString());

function rangeAnswer(of: MessageInitShape<typeof pb.RangeResponseSchema>): Uint8Array {
  return toBinary(pb.RangeResponseSchema, create(pb.RangeResponseSchema, of));
}

/** What a get with these options asks for. */
async function askedRange(key: string, options: GetOptions): Promise<pb.RangeRequest> {
  const caller = new FakeCaller(() => rangeAnswer({}));
  await new KvArea(caller).get(key, options);
  return fromBinary(pb.RangeRequestSchema, caller.calls[0]!.request);
}

const interval = (r: { key: Uint8Array; rangeEnd: Uint8Array }): number[][] => [
  [...r.key],
  [...r.rangeEnd],
];

test("a get asks for its range", async () => {
  assert.deepEqual(interval(await askedRange("a", {})), [[97], []]);
  assert.deepEqual(interval(await askedRange("a", { rangeEnd: "c" })), [[97], [99]]);
  assert.deepEqual(interval(await askedRange("a", { prefix: true })), [[97], [98]]);
  assert.deepEqual(interval(await askedRange("a", { fromKey: true })), [[97], [0]]);
  assert.deepEqual(interval(await askedRange("", { prefix: true })), [[0], [0]]);
  assert.deepEqual(interval(await askedRange("", { fromKey: true })), [[0], [0]]);
});

test("a prefix ends behind its last byte that can grow", async () => {
  const caller = new FakeCaller(() => rangeAnswer({}));
  const kv = new KvArea(caller);
  await kv.get(Uint8Array.of(1, 0xff, 0xff), { prefix: true });
  await kv.get(Uint8Array.of(0xff, 0xff), { prefix: true });
  const asked = caller.calls.map((c) => interval(fromBinary(pb.RangeRequestSchema, c.request)));
  assert.deepEqual(asked, [
    [[1, 0xff, 0xff], [2]],
    [[0xff, 0xff], [0]],
  ]);
});

test("every option of a get reaches the server", async () => {
  const asked = await askedRange("k", {
    limit: 3,
    revision: 9,
    sort: { by: "mod", order: "descend" },
    serializable: true,
    keysOnly: true,
    countOnly: true,
    minModRevision: 1,
    maxModRevision: 2,
    minCreateRevision: 4,
    maxCreateRevision: 5,
  });
  const wanted = create(pb.RangeRequestSchema, {
    key: bytes("k"),
    limit: 3n,
    revision: 9n,
    sortTarget: pb.RangeRequest_SortTarget.MOD,
    sortOrder: pb.RangeRequest_SortOrder.DESCEND,
    serializable: true,
    keysOnly: true,
    countOnly: true,
    minModRevision: 1n,
    maxModRevision: 2n,
    minCreateRevision: 4n,
    maxCreateRevision: 5n,
  });
  assert.deepEqual(asked, wanted);
});

test("rising keys are asked for as no order, which is the same and cheaper", async () => {
  assert.equal((await askedRange("k", { sort: { by: "key" } })).sortOrder, 0);
  assert.equal((await askedRange("k", { sort: { order: "ascend" } })).sortOrder, 0);
  assert.equal((await askedRange("k", { sort: { by: "value" } })).sortOrder, 1);
  assert.equal((await askedRange("k", { sort: { order: "descend" } })).sortOrder, 2);
});

test("input that makes no request is refused before anything is sent", async () => {
  const caller = new FakeCaller(() => new Uint8Array(0));
  const kv = new KvArea(caller);
  const refused = [
    () => kv.get("a", { prefix: true, fromKey: true }),
    () => kv.get("a", { prefix: true, rangeEnd: "b" }),
    () => kv.delete("a", { fromKey: true, rangeEnd: "b" }),
    () => kv.get("a", { limit: 1.5 }),
    () => kv.get("a", { revision: 2 ** 53 }),
    () => kv.get(5 as unknown as string),
    () => kv.get("a", { sort: { by: "name" as "key" } }),
    () => kv.put("a", null as unknown as string),
    () => kv.put("a", "", { lease: 2n ** 63n }),
    () => kv.put("a", "", { lease: 7 as unknown as bigint }),
    () => kv.compact(Number.NaN),
    () =>
      kv
        .txn()
        .if(compare.lease("a").equals(2n ** 63n))
        .commit(),
    () => kv.txn().if({ target: "mod", result: "=", key: "a", operand: "x" }).commit(),
  ];
  for (const call of refused) await assert.rejects(call(), InvalidInputError, call.toString());
  assert.equal(caller.calls.length, 0);
});

test("a put carries its options and answers what was there", async () => {
  const prevKv = { key: bytes("k"), value: bytes("old"), version: 1n };
  const caller = new FakeCaller(() =>
    toBinary(pb.PutResponseSchema, create(pb.PutResponseSchema, { prevKv })),
  );
  const options = { lease: -5n, prevKv: true, ignoreLease: false };
  const result = await new KvArea(caller).put("k", bytes("new"), options);
  assert.equal(result.prevKv?.string(), "old");
  assert.deepEqual(
    fromBinary(pb.PutRequestSchema, caller.calls[0]!.request),
    create(pb.PutRequestSchema, { key: bytes("k"), value: bytes("new"), lease: -5n, prevKv: true }),
  );
  assert.equal(caller.calls[0]!.retry, "write");
});

test("a transaction carries compares, branches and transactions inside them", async () => {
  const caller = new FakeCaller(() => new Uint8Array(0));
  const kv = new KvArea(caller);
  const inner = op.txn([compare.exists("x")], [op.delete("y", { prefix: true })]);
  await kv
    .txn()
    .if(
      compare.version("k").equals(0),
      compare.value("k", { prefix: true }).notEquals("v"),
      compare.lease("k").lessThan(-1n),
      compare.mod("k").greaterThan(4),
    )
    .then(op.put("k", "1"), inner)
    .else(op.get("k", { limit: 1 }))
    .commit();
  const { EQUAL, GREATER, LESS, NOT_EQUAL } = pb.Compare_CompareResult;
  const { VALUE, LEASE, MOD } = pb.Compare_CompareTarget;
  const key = bytes("k");
  const wanted = create(pb.TxnRequestSchema, {
    compare: [
      { result: EQUAL, key, targetUnion: { case: "version", value: 0n } },
      {
        ...{ result: NOT_EQUAL, target: VALUE, key, rangeEnd: bytes("l") },
        targetUnion: { case: "value", value: bytes("v") },
      },
      { result: LESS, target: LEASE, key, targetUnion: { case: "lease", value: -1n } },
      { result: GREATER, target: MOD, key, targetUnion: { case: "modRevision", value: 4n } },
    ],
    success: [
      { request: { case: "requestPut", value: { key, value: bytes("1") } } },
      {
        request: {
          case: "requestTxn",
          value: {
            compare: [
              { result: GREATER, key: bytes("x"), targetUnion: { case: "version", value: 0n } },
            ],
            success: [
              {
                request: {
                  case: "requestDeleteRange",
                  value: { key: bytes("y"), rangeEnd: bytes("z") },
                },
              },
            ],
          },
        },
      },
    ],
    failure: [{ request: { case: "requestRange", value: { key, limit: 1n } } }],
  });
  assert.deepEqual(fromBinary(pb.TxnRequestSchema, caller.calls[0]!.request), wanted);
  assert.equal(caller.calls[0]!.path, "/etcdserverpb.KV/Txn");
});

test("only a transaction that cannot write is repeated like a read", async () => {
  const caller = new FakeCaller(() => new Uint8Array(0));
  const kv = new KvArea(caller);
  await kv.do(op.txn([], [op.get("a"), op.txn([], [op.get("b")])]));
  await kv.do(op.txn([], [op.get("a")], [op.txn([], [], [op.put("b", "")])]));
  assert.deepEqual(
    caller.calls.map((c) => c.retry),
    ["read", "write"],
  );
});

test("results of a transaction have the types of its operations", async () => {
  const response = create(pb.TxnResponseSchema, {
    succeeded: true,
    responses: [
      { response: { case: "responseRange", value: { count: 7n } } },
      { response: { case: "responsePut", value: {} } },
    ],
  });
  const kv = new KvArea(new FakeCaller(() => toBinary(pb.TxnResponseSchema, response)));
  const result = await kv.txn().then(op.get("a"), op.put("b", "")).else(op.delete("c")).commit();
  assert.ok(result.succeeded);
  // Without a look at `kind`: that this compiles is the test.
  assert.equal(result.responses[0].count, 7);
  assert.equal(result.responses[1].prevKv, null);
});

test("a builder takes each part once, in order, and is not to be awaited", () => {
  const kv = new KvArea(new FakeCaller(() => new Uint8Array(0)));
  assert.throws(() => kv.txn().if().if(), /if was given already/);
  assert.throws(() => kv.txn().then().if(), /if must come before then/);
  assert.throws(() => kv.txn().else().then(), /then must come before else/);
  assert.throws(() => kv.txn().else().else(), InvalidInputError);
  const resolve = (() => undefined) as unknown as ReturnType<typeof op.get>;
  assert.throws(() => kv.txn().then(resolve), /commit\(\) sends it/);
});

test("do runs any operation, with call options of its own", async () => {
  const caller = new FakeCaller(() => new Uint8Array(0));
  const kv = new KvArea(caller);
  const got = await kv.do(op.get("a", { timeoutMs: 1 }), { timeoutMs: 5 });
  assert.equal(got.count, 0);
  assert.equal((await kv.do(op.put("a", "b"))).prevKv, null);
  assert.equal((await kv.do(op.delete("a"))).deleted, 0);
  assert.equal(caller.calls[0]!.options?.timeoutMs, 5);
});

const keyed = (...keys: string[]): { key: Uint8Array }[] =>
  keys.map((key) => ({ key: bytes(key) }));

function streamPart(of: MessageInitShape<typeof pb.RangeResponseSchema>): Uint8Array {
  const schema = pb.RangeStreamResponseSchema;
  return toBinary(schema, create(schema, { rangeResponse: of }));
}

async function streamed(kv: KvArea, options: GetOptions): Promise<string[]> {
  const keys: Uint8Array[] = [];
  for await (const { key } of kv.stream("", options)) keys.push(key);
  return texts(keys);
}

/** Answers pages of Range out of these keys. */
function pagesOf(keys: readonly string[], asked: pb.RangeRequest[] = []) {
  return ({ request }: { request: Uint8Array }): Uint8Array => {
    const r = fromBinary(pb.RangeRequestSchema, request);
    asked.push(r);
    const from = Buffer.from(r.key).toString();
    const all = keys.filter((key) => key >= from);
    const limit = Math.min(Number(r.limit), 2); // a server may answer fewer
    return rangeAnswer({
      header: { revision: 12n },
      kvs: keyed(...all.slice(0, limit)),
      more: all.length > limit,
    });
  };
}

test("a range is streamed in the order of its keys", async () => {
  const caller = new FakeCaller(pagesOf([]), (stream: FakeStream) => {
    stream.receive(streamPart({ kvs: keyed("a", "b") }));
    stream.receive(streamPart({ kvs: keyed("c"), header: { revision: 3n }, count: 3n }));
    stream.finish(null);
  });
  assert.deepEqual(await streamed(new KvArea(caller), { prefix: true }), ["a", "b", "c"]);
  assert.equal(caller.streams[0]!.isEnded, true);
  assert.equal(caller.streams[0]!.isCanceled, false);
});

test("without RangeStream the pages of a range are read at one revision", async () => {
  const asked: pb.RangeRequest[] = [];
  const caller = new FakeCaller(pagesOf(["a", "b", "c", "d", "e"], asked), (stream) =>
    stream.finish(new UnimplementedError(12, "unknown method RangeStream")),
  );
  const kv = new KvArea(caller);
  assert.deepEqual(await streamed(kv, { prefix: true }), ["a", "b", "c", "d", "e"]);
  assert.deepEqual(
    asked.map((r) => [Buffer.from(r.key).toString(), r.revision]),
    [
      ["\0", 0n],
      ["b\0", 12n],
      ["d\0", 12n],
    ],
  );
  assert.deepEqual(await streamed(kv, { prefix: true, limit: 3 }), ["a", "b", "c"]);
});

const cut = (): EtcdError => new EtcdError(14, "connection lost");

test("a stream that breaks goes on where it was only at a revision the caller named", async () => {
  const caller = new FakeCaller(pagesOf(["a", "b", "c", "d"]), (stream) => {
    stream.receive(streamPart({ kvs: keyed("a", "b") }));
    stream.finish(cut());
  });
  const kv = new KvArea(caller);
  assert.deepEqual(await streamed(kv, { prefix: true, revision: 12 }), ["a", "b", "c", "d"]);
  await assert.rejects(streamed(kv, { prefix: true }), /connection lost/);
});

test("a stream that breaks before its first key starts again", async () => {
  const caller = new FakeCaller(pagesOf(["a"]), (stream) => stream.finish(cut()));
  assert.deepEqual(await streamed(new KvArea(caller), { prefix: true }), ["a"]);
});

test("a slow reader pauses the stream, and leaving the loop cancels it", async () => {
  const caller = new FakeCaller(pagesOf([]), (stream) => {
    for (let i = 0; i < 8; i++) stream.receive(streamPart({ kvs: keyed("a", "b") }));
  });
  const wasPaused: boolean[] = [];
  for await (const kv of new KvArea(caller).stream("", { prefix: true })) {
    assert.equal(kv.keyString(), wasPaused.length % 2 === 0 ? "a" : "b");
    wasPaused.push(caller.streams[0]!.isPaused);
    if (wasPaused.length === 16) break;
  }
  assert.equal(wasPaused[0], true);
  assert.equal(wasPaused[15], false);
  assert.equal(caller.streams[0]!.isCanceled, true);
});

test("what cannot be streamed in the order of keys is refused", () => {
  const kv = new KvArea(new FakeCaller(pagesOf([])));
  assert.throws(() => kv.stream("", { countOnly: true }), InvalidInputError);
  assert.throws(() => kv.stream("", { sort: { by: "mod" } }), InvalidInputError);
  assert.doesNotThrow(() => kv.stream("", { sort: { by: "key", order: "ascend" } }));
});
