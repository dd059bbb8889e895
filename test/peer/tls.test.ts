import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCertificate } from "../http2/self-signed.ts";
import { append, connect, entry, established, startMember } from "./rig.ts";

const ca = makeCertificate("test authority");
const member = makeCertificate("member", ca);
const tls = { cert: member.cert, key: member.key, trustedCa: ca.cert, clientCertAuth: true };

test("members speak TLS with certificates of one authority, on streams and in calls", async () => {
  const [a, b] = [await startMember(0xan, { tls }), await startMember(0xbn, { tls })];
  try {
    await connect(a, b);
    a.transport.send([append(a.id, b.id, 0, [entry(1, 2_000_000)])]);
    await b.seen.until(() => b.seen.messages.length === 1, "append");
    assert.equal(b.seen.messages[0]?.entries[0]?.data.length, 2_000_000);
    const status = await new Promise<number>((resolve) => {
      const probe = { method: "GET" as const, path: "/raft/probing", timeoutMs: 5_000 };
      a.transport.call(b.id, probe, (_error, answer) => {
        resolve(answer.status);
      });
    });
    assert.equal(status, 200);
  } finally {
    await a.stop();
    await b.stop();
  }
});

test("a member with another authority's certificate gets no stream", async () => {
  const otherCa = makeCertificate("other authority");
  const other = makeCertificate("stranger", otherCa);
  const strange = { cert: other.cert, key: other.key, trustedCa: ca.cert };
  const [a, b] = [await startMember(0xan, { tls }), await startMember(0xbn, { tls: strange })];
  try {
    a.transport.addPeer(b.id, [b.url]);
    b.transport.addPeer(a.id, [a.url]);
    for (const { seen } of [a, b]) {
      await seen.until(() => seen.logs.includes("peer deactivated again"), "refusal");
      assert.equal(seen.logs.includes(established), false);
    }
  } finally {
    await a.stop();
    await b.stop();
  }
});

test("an https URL without certificates is refused at once", async () => {
  const listenUrl = "https://127.0.0.1:0";
  await assert.rejects(startMember(0xan, { listenUrl }), {
    message: `cannot listen for peers on "${listenUrl}": no certificate and key are given`,
  });
});
