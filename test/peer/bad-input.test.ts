import assert from "node:assert/strict";
import { test } from "node:test";
import { writeMessageFrame } from "../../src/server/peer/message-frames.ts";
import { Writer } from "../../src/codec/writer.ts";
import type { Message } from "../../src/raft/message.ts";
import {
  dialStream,
  encoded,
  frame,
  goodHeaders,
  post,
  rawSocket,
  startFakePeer,
} from "./fake-peer.ts";
import { append, blank, entry, startMember, type MemberOptions, type TestMember } from "./rig.ts";

const stranger = 0x51n;

async function withMember(
  run: (member: TestMember) => Promise<void>,
  options: MemberOptions = {},
): Promise<void> {
  const member = await startMember(0xan, options);
  try {
    await run(member);
  } finally {
    await member.stop();
  }
}

/** A member whose peer sends it these bytes on the message stream, again at each dial. */
async function withSender(
  bytes: Uint8Array,
  run: (member: TestMember, dials: () => number) => Promise<void>,
  options: MemberOptions = {},
): Promise<void> {
  let dials = 0;
  const fake = await startFakePeer((kind, write) => {
    if (kind !== "message") return;
    dials++;
    if (bytes.length > 0) write(bytes);
  });
  try {
    await withMember(async (member) => {
      member.transport.addPeer(stranger, [fake.url]);
      await run(member, () => dials);
    }, options);
  } finally {
    await fake.stop();
  }
}

const good: Message = { ...blank, type: 9, from: stranger, to: 0xan };

function framesOf(...messages: readonly Message[]): Uint8Array {
  const out = new Writer();
  for (const message of messages) writeMessageFrame(out, message);
  return out.copy();
}

test("members of two clusters refuse each other and say why", async () => {
  const [a, b] = [await startMember(0xan), await startMember(0xbn, { clusterId: 0xc2n })];
  try {
    a.transport.addPeer(b.id, [b.url]);
    b.transport.addPeer(a.id, [a.url]);
    for (const { seen } of [a, b]) {
      const texts = [
        "request cluster ID mismatch",
        "request sent was ignored by remote peer due to cluster ID mismatch",
      ];
      await seen.until(() => texts.every((text) => seen.logs.includes(text)), "refusals");
    }
    a.transport.send([{ ...blank, from: a.id, to: b.id }]);
    await a.seen.until(() => a.seen.unreachables.length > 0, "report");
    assert.deepEqual([a.seen.messages, b.seen.messages], [[], []]);
  } finally {
    await a.stop();
    await b.stop();
  }
});

test("messages for or from another member, and local ones, do not reach raft", async () => {
  const bad = [
    { ...good, to: 0x99n },
    { ...good, from: 0x99n },
    { ...good, from: 0xan },
    { ...good, type: 0 },
    { ...good, type: 10 },
    { ...good, type: 20 },
    { ...good, type: 99 },
  ];
  await withSender(framesOf(...bad, good), async ({ seen, registry }) => {
    await seen.until(() => seen.messages.length > 0, "the good one");
    assert.deepEqual(
      seen.messages.map(({ from, to, type }) => [from, to, type]),
      [[stranger, 0xan, 9]],
    );
    assert.ok(seen.logs.includes("rejected Raft message to mismatch member"));
    assert.ok(seen.logs.includes("rejected Raft message from mismatch member"));
    assert.match(registry.text(), /etcd_network_peer_received_failures_total\{From="51"\} 7/);
  });
});

test("what members pass on for others reaches raft, whoever it is from", async () => {
  const forwarded = [2, 13, 15].map((type) => ({ ...good, type, from: 0x99n }));
  await withSender(framesOf(...forwarded), async ({ seen }) => {
    await seen.until(() => seen.messages.length >= 3, "forwarded ones");
    assert.deepEqual(
      seen.messages.slice(0, 3).map(({ type }) => type),
      [2, 13, 15],
    );
  });
});

const streamBreakers: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ["garbage", new Uint8Array(64).fill(0xee)],
  ["a message that cannot be decoded", frame(new Uint8Array([0xff, 0xff]))],
  ["a frame beyond the bound", frame(new Uint8Array(10), 1024 ** 3)],
  ["a snapshot without its file", framesOf({ ...good, type: 7 })],
  ["an append with a gap", framesOf(append(stranger, 0xan, 1, [entry(3)]))],
];

for (const [name, bytes] of streamBreakers) {
  test(`${name} ends the stream, which is dialled again; raft sees nothing of it`, async () => {
    await withSender(bytes, async ({ seen }, dials) => {
      await seen.until(() => {
        const lost = "lost TCP streaming connection with remote peer";
        return seen.logs.filter((line) => line === lost).length >= 2;
      }, "two losses");
      assert.ok(dials() >= 2);
      assert.deepEqual(seen.messages, []);
    });
  });
}

test("a stream that brings nothing is given up after the read timeout", async () => {
  const limits = { readTimeoutMs: 40, dialTimeoutMs: 40 };
  await withSender(
    new Uint8Array(0),
    async ({ seen }) => {
      await seen.until(() => {
        return seen.logged.some(([, fields]) => fields["error"] === "i/o timeout");
      }, "timeout");
    },
    { limits },
  );
});

test("an idle stream carries heartbeats, so that the peer does not give it up", async () => {
  await withMember(
    async (member) => {
      member.transport.addPeer(stranger, ["http://127.0.0.1:1"]);
      const stream = await dialStream(member, stranger, "message");
      let bytes = 0;
      await new Promise<void>((resolve) => {
        stream.on("data", (chunk: Uint8Array) => {
          bytes += chunk.length;
          if (bytes >= 30) resolve();
        });
      });
      stream.destroy();
    },
    { limits: { readTimeoutMs: 30 } },
  );
});

test("a peer that does not read loses messages and its stream; others go on", async () => {
  const limits = { streamBytesMax: 4_000_000, writeTimeoutMs: 60, readTimeoutMs: 60 };
  await withMember(
    async (member) => {
      const other = await startMember(0xbn, { limits: { readTimeoutMs: 60 } });
      try {
        member.transport.addPeer(other.id, [other.url]);
        other.transport.addPeer(member.id, [member.url]);
        member.transport.addPeer(stranger, ["http://127.0.0.1:1"]);
        const stream = await dialStream(member, stranger, "msgapp"); // and is never read
        await other.seen.until(() => other.transport.activeSince(member.id) !== null, "other");
        const attached = (): boolean =>
          member.seen.logged.some(
            ([text, fields]) => text === "set message encoder" && fields["to"] === "b",
          );
        await member.seen.until(attached, "stream to the other");
        const big = entry(1, 1_000_000);
        for (let i = 0; i < 40; i++) {
          member.transport.send([append(member.id, stranger, 0, [big])]);
          member.transport.send([{ ...blank, from: member.id, to: other.id }]);
        }
        await other.seen.until(() => other.seen.messages.length === 40, "the other's messages");
        const full = "dropped internal Raft message since sending buffer is full";
        assert.ok(member.seen.logs.includes(full));
        // The system buffers take some megabytes first.
        const more = setInterval(() => {
          member.transport.send([append(member.id, stranger, 0, [big])]);
        }, 1);
        await member.seen.until(() => {
          return member.seen.logged.some(
            ([text, fields]) =>
              text === "lost TCP streaming connection with remote peer" &&
              fields["remote-peer-id"] === "51" &&
              fields["stream-writer-type"] === "stream MsgApp v2",
          );
        }, "write timeout");
        clearInterval(more);
        assert.ok(member.seen.unreachables.includes(stranger));
        assert.equal(member.seen.unreachables.includes(other.id), false);
        stream.destroy();
      } finally {
        await other.stop();
      }
    },
    { limits },
  );
});

test("a removed sender is refused on every path", async () => {
  await withMember(async (member) => {
    member.seen.removed.add(stranger);
    member.transport.addPeer(0xbn, ["http://127.0.0.1:1"]);
    const stream = await dialStream(member, stranger, "message");
    assert.equal(stream.statusCode, 410);
    stream.resume();
    const headers = goodHeaders(stranger, member);
    assert.deepEqual(await post(member, "/raft", headers, encoded(good)), {
      status: 500,
      body: "error processing raft message\n",
    });
    const snapshot = await post(
      member,
      "/raft/snapshot",
      headers,
      frame(encoded({ ...good, type: 7, snapshot: emptySnapshot })),
    );
    assert.deepEqual(snapshot, {
      status: 500,
      body: "failed to process raft message (cannot process message from removed member)\n",
    });
    assert.deepEqual(member.seen.messages, []);
  });
});

test("the end of a database file waits for the last piece to be taken", async () => {
  await withMember(async (member) => {
    const seen: string[] = [];
    member.seen.snapshotSink = () => ({
      write(_bytes, done) {
        seen.push("piece");
        const take = (turns: number): void => {
          if (turns > 0) setImmediate(take, turns - 1);
          else {
            seen.push("taken");
            done(null, undefined);
          }
        };
        take(100);
      },
      end(done) {
        seen.push("end");
        done(null, undefined);
      },
      abort() {
        seen.push("abort");
      },
    });
    const message = frame(encoded({ ...good, type: 7, snapshot: emptySnapshot }));
    const body = new Uint8Array(200_000);
    body.set(message);
    // Over before its first piece is taken: the last one comes together with the end.
    const answer = await post(member, "/raft/snapshot", goodHeaders(stranger, member), body);
    assert.equal(answer.status, 204);
    assert.ok(seen.length > 3);
    assert.deepEqual(seen.slice(-3), ["piece", "taken", "end"]);
  });
});

test("a snapshot message without its file is not for the pipeline", async () => {
  await withMember(async (member) => {
    const body = encoded({ ...good, type: 7 });
    const answer = await post(member, "/raft", goodHeaders(stranger, member), body);
    assert.deepEqual(answer, { status: 400, body: "wrong raft message type\n" });
    assert.deepEqual(member.seen.messages, []);
  });
});

test("a pipeline message that is not its sender's own does not reach raft", async () => {
  await withMember(async (member) => {
    const answer = await post(member, "/raft", goodHeaders(0x52n, member), encoded(good));
    assert.equal(answer.status, 500);
    const own = await post(member, "/raft", goodHeaders(stranger, member), encoded(good));
    assert.equal(own.status, 204);
    assert.equal(member.seen.messages.length, 1);
  });
});

test("a request without end of headers is closed, and connections have a bound", async () => {
  await withMember(
    async (member) => {
      const slow = rawSocket(member, "GET /version HTTP/1.1\r\nX-Slow: ");
      assert.match(await slow.closed, /^HTTP\/1\.1 408/);
      const held = rawSocket(member, "");
      await new Promise((resolve) => held.socket.once("connect", resolve));
      const second = rawSocket(member, "GET /raft/probing HTTP/1.1\r\nHost: x\r\n\r\n");
      assert.equal(await second.closed, "");
      held.socket.destroy();
    },
    { limits: { headersTimeoutMs: 150, connectionsMax: 1 } },
  );
});

test("large headers and large bodies are refused", async () => {
  const handle = (): void => assert.fail("handled");
  const services = [{ method: "POST" as const, path: "/leases", handle }];
  await withMember(
    async (member) => {
      const large = "x".repeat(64 * 1024);
      const headers = rawSocket(member, `GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${large}\r\n\r\n`);
      assert.match(await headers.closed, /^HTTP\/1\.1 431/);
      const body = await post(member, "/leases", {}, new Uint8Array(65 * 1024));
      assert.deepEqual(body, { status: 413, body: "request body too large\n" });
    },
    { services },
  );
});

test("remotes learnt from requests have a bound", async () => {
  await withMember(
    async (member) => {
      for (let i = 1; i <= 5; i++) {
        const headers = { ...goodHeaders(BigInt(i), member), "X-PeerURLs": "http://127.0.0.1:1" };
        await post(member, "/raft", headers, encoded({ ...good, from: BigInt(i) }));
      }
      const added = member.seen.logs.filter((line) => line === "added new remote peer");
      assert.equal(added.length, 2);
    },
    { limits: { remotesMax: 2 } },
  );
});

const emptySnapshot = {
  metadata: {
    confState: {
      ...{ voters: [], learners: [], votersOutgoing: [], learnersNext: [] },
      autoLeave: false,
    },
    index: 5,
    term: 1,
  },
  data: new Uint8Array(0),
};
