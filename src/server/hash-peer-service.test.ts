import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../base/bytes.ts";
import { errFutureRev } from "../base/etcd-errors.ts";
import type { Logger } from "../base/log.ts";
import { createHashPeerService } from "./hash-peer-service.ts";
import type { PeerReply } from "./peer/peer-port.ts";

const none = (): void => undefined;
const log = { debug: none, info: none, warn: none, error: none } as unknown as Logger;

const service = createHashPeerService({
  log,
  store: {
    currentRevision: 6,
    hashKv: (revision, done) => {
      if (revision > 6) done(errFutureRev);
      else done({ hash: 77, compactRevision: 3, hashRevision: revision === 0 ? 6 : revision });
    },
  },
});

function ask(body: string): { status: number; text: string } {
  let reply: PeerReply | null = null;
  service.handle({ path: service.path, body: utf8(body), authorization: "" }, (answer) => {
    reply = answer;
  });
  const { status, body: bytes } = reply!;
  return { status, text: new TextDecoder().decode(bytes) };
}

test("the hash at a revision is JSON with numbers, as etcd writes it", () => {
  const text = '{"header":{"revision":6},"hash":77,"compact_revision":3,"hash_revision":4}';
  assert.deepEqual(ask('{"revision":4}'), { status: 200, text });
  assert.match(ask("{}").text, /"hash_revision":6/);
});

test("a revision that is not there, and a body that is no request, are refused as by etcd", () => {
  const future = "mvcc: required revision is a future revision\n";
  assert.deepEqual(ask('{"revision":7}'), { status: 400, text: future });
  for (const body of ["", "[]", "null", '{"revision":"4"}', '{"revision":1.5}']) {
    assert.deepEqual(ask(body), { status: 400, text: "error unmarshalling request\n" }, body);
  }
});
