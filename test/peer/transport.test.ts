import assert from "node:assert/strict";
import { test } from "node:test";
import { append, blank, connect, entry, startMember, type TestMember } from "./rig.ts";

async function withMembers(
  members: readonly TestMember[],
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } finally {
    for (const member of members) await member.stop();
  }
}

test("messages arrive over the streams as they were sent, appends in order", async () => {
  const [a, b] = [await startMember(0xan), await startMember(0xbn)];
  await withMembers([a, b], async () => {
    await connect(a, b);
    const entries = [entry(1), entry(2), entry(3, 100_000)];
    const sent = [
      append(a.id, b.id, 0, entries.slice(0, 1)),
      append(a.id, b.id, 1, entries.slice(1)),
      append(a.id, b.id, 3, []),
      { ...blank, type: 8, from: a.id, to: b.id, context: new Uint8Array([1, 2]) },
    ];
    a.transport.send(sent);
    await b.seen.until(() => b.seen.messages.length === sent.length, "messages");
    const appends = b.seen.messages.filter(({ type }) => type === 3);
    const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value, replacer));
    assert.deepEqual(plain(appends), plain(sent.slice(0, 3)));
    const heartbeats = b.seen.messages.filter(({ type }) => type === 8);
    assert.deepEqual(plain(heartbeats), plain(sent.slice(3)));
    assert.notEqual(a.transport.activeSince(b.id), null);
    const text = a.registry.text();
    assert.match(text, /etcd_network_active_peers\{Local="a",Remote="b"\} 1/);
    assert.match(text, /etcd_network_known_peers\{Local="a",Remote="b"\} 1/);
    assert.match(b.registry.text(), /etcd_network_peer_received_bytes_total\{From="a"\} 100\d\d\d/);
  });
});

function replacer(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}
