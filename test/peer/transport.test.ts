import assert from "node:assert/strict";
import { test } from "node:test";
import type { Done } from "../../src/base/ports.ts";
import type { Message } from "../../src/raft/message.ts";
import type {
  PeerReply,
  PeerServiceRequest,
  SnapshotSource,
} from "../../src/server/peer/peer-port.ts";
import { append, blank, connect, entry, established, startMember, type TestMember } from "./rig.ts";

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

test("a database file arrives whole, and both sides learn how it ended", async () => {
  const [a, b] = [await startMember(0xan), await startMember(0xbn)];
  await withMembers([a, b], async () => {
    await connect(a, b);
    const file = new Uint8Array(3_000_000).map((_, i) => i % 251);
    const message = snapshotMessage(a.id, b.id, 77);
    const got: Uint8Array[] = [];
    let headIndex = 0;
    b.seen.snapshotSink = (head) => {
      headIndex = head.snapshot?.metadata.index ?? 0;
      return {
        write(bytes, done) {
          got.push(bytes.slice());
          setImmediate(() => {
            done(null, undefined);
          });
        },
        end(done) {
          setImmediate(() => {
            done(null, undefined);
          });
        },
        abort() {
          throw new Error("aborted");
        },
      };
    };
    const source = new TestSource(message, file);
    a.transport.sendSnapshot(b.id, source);
    await a.seen.until(() => a.seen.snapshots.length === 1, "report");
    assert.deepEqual(a.seen.snapshots, [[b.id, true]]);
    assert.equal(headIndex, 77);
    assert.equal(Buffer.compare(Buffer.concat(got), file), 0);
    assert.equal(source.closed, 1);
    assert.match(b.registry.text(), /etcd_network_snapshot_receive_success\{From="a"\} 1/);
    assert.match(b.registry.text(), /snapshot_receive_inflights_total\{From="a"\} 0/);
    assert.match(a.registry.text(), /etcd_network_snapshot_send_success\{To="b"\} 1/);
  });
});

test("a refused and a failed database file are reported, the source is closed", async () => {
  const [a, b] = [await startMember(0xan), await startMember(0xbn)];
  await withMembers([a, b], async () => {
    await connect(a, b);
    const message = snapshotMessage(a.id, b.id, 77);
    const refused = new TestSource(message, new Uint8Array(100));
    a.transport.sendSnapshot(b.id, refused);
    await a.seen.until(() => a.seen.snapshots.length === 1, "refusal");
    let aborts = 0;
    b.seen.snapshotSink = () => ({
      write(_bytes, done) {
        setImmediate(() => {
          done(new Error("disk full"), undefined);
        });
      },
      end() {
        throw new Error("ended");
      },
      abort: () => aborts++,
    });
    const failed = new TestSource(message, new Uint8Array(5_000_000));
    a.transport.sendSnapshot(b.id, failed);
    await a.seen.until(() => a.seen.snapshots.length === 2, "failure");
    assert.deepEqual(a.seen.snapshots, [
      [b.id, false],
      [b.id, false],
    ]);
    assert.deepEqual([refused.closed, failed.closed, aborts], [1, 1, 1]);
    const text = a.registry.text();
    assert.match(text, /etcd_network_snapshot_send_failures\{To="b"\} 2/);
    assert.match(text, /etcd_network_snapshot_send_inflights_total\{To="b"\} 0/);
  });
});

test("a lost peer is dialled again, and its other URL is tried", async () => {
  const [a, b] = [await startMember(0xan), await startMember(0xbn)];
  await withMembers([a], async () => {
    const { url } = b;
    a.transport.addPeer(b.id, ["http://127.0.0.1:1", url]);
    b.transport.addPeer(a.id, [a.url]);
    const streams = (): number => a.seen.logs.filter((line) => line === established).length;
    await a.seen.until(() => streams() === 4, "streams by the second URL");
    await b.stop();
    await a.seen.until(() => a.transport.activeSince(b.id) === null, "loss");
    await a.seen.until(() => a.seen.unreachables.includes(b.id), "report");
    assert.match(a.registry.text(), /etcd_network_disconnected_peers_total\{[^}]*\} 1/);
    const again = await startMember(b.id, { listenUrl: url });
    await withMembers([again], async () => {
      again.transport.addPeer(a.id, [a.url]);
      await a.seen.until(() => streams() === 8, "streams after the return");
      assert.notEqual(a.transport.activeSince(b.id), null);
    });
  });
});

test("while no stream is up messages go by request, and none is lost silently", async () => {
  const [a, b] = [await startMember(0xan), await startMember(0xbn)];
  await withMembers([a, b], async () => {
    // b does not know a, so a's streams are refused and b dials none.
    a.transport.addPeer(b.id, [b.url]);
    const vote = { ...blank, type: 5, from: a.id, to: b.id };
    a.transport.send([vote]);
    await b.seen.until(() => b.seen.messages.length === 1, "vote by request");
    assert.equal(b.seen.messages[0]?.type, 5);
    const gone = await startMember(0xcn);
    a.transport.addPeer(gone.id, [gone.url]);
    await gone.stop();
    a.transport.send([{ ...vote, to: gone.id }]);
    await a.seen.until(() => a.seen.unreachables.includes(gone.id), "report");
  });
});

test("a member met by its request is answered over the pipeline before it is a peer", async () => {
  const [a, b] = [await startMember(0xan), await startMember(0xbn)];
  await withMembers([a, b], async () => {
    a.transport.addRemote(b.id, [b.url]);
    a.transport.send([{ ...blank, type: 6, from: a.id, to: b.id }]);
    await b.seen.until(() => b.seen.messages.length === 1, "answer");
    assert.equal(a.transport.activeSince(b.id), null);
    a.transport.addPeer(b.id, [b.url]);
    b.transport.addPeer(a.id, [a.url]);
    await a.seen.until(() => a.transport.activeSince(b.id) !== null, "a peer now");
  });
});

test("a removed member learns it from whoever it dials", async () => {
  const [a, b] = [await startMember(0xan), await startMember(0xbn)];
  await withMembers([a, b], async () => {
    a.seen.removed.add(b.id);
    b.transport.addPeer(a.id, [a.url]);
    await b.seen.until(() => b.seen.removals > 0, "removal");
    assert.ok(a.seen.logs.includes("rejected stream from remote peer because it was removed"));
  });
});

test("removing a peer ends its streams for good", async () => {
  const [a, b] = [await startMember(0xan), await startMember(0xbn)];
  await withMembers([a, b], async () => {
    await connect(a, b);
    a.transport.removePeer(b.id);
    await b.seen.until(() => b.transport.activeSince(a.id) === null, "loss");
    a.transport.send([{ ...blank, from: a.id, to: b.id }]);
    assert.equal(a.transport.activeSince(b.id), null);
    assert.match(a.registry.text(), /etcd_network_known_peers\{[^}]*\} 0/);
    assert.match(a.registry.text(), /etcd_network_active_peers\{[^}]*\} 0/);
  });
});

test("a call reaches a peer's service by the URL that works", async () => {
  const services = [
    {
      method: "POST" as const,
      path: "/leases",
      handle({ body }: PeerServiceRequest, done: (reply: PeerReply) => void) {
        done({ status: 200, contentType: "application/protobuf", body });
      },
    },
  ];
  const [a, b] = [await startMember(0xan), await startMember(0xbn, { services })];
  await withMembers([a, b], async () => {
    a.transport.addPeer(b.id, ["http://127.0.0.1:1", b.url]);
    const call = (to: bigint): Promise<string> =>
      new Promise((resolve) => {
        const request = { method: "POST" as const, path: "/leases", timeoutMs: 5_000 };
        const body = new Uint8Array([1, 2, 3]);
        a.transport.call(to, { ...request, body }, (error, answer) => {
          resolve(error?.message ?? `${answer.status} ${answer.body.join(" ")}`);
        });
      });
    assert.equal(await call(b.id), "200 1 2 3");
    assert.equal(await call(0xdn), "member not found");
  });
});

test("probes measure the round trip", async () => {
  const limits = { probeIntervalMs: 20 };
  const [a, b] = [await startMember(0xan, { limits }), await startMember(0xbn)];
  await withMembers([a, b], async () => {
    a.transport.addPeer(b.id, [b.url]);
    const look = setInterval(() => {
      a.seen.changed();
    }, 5);
    const measured = /etcd_network_peer_round_trip_time_seconds_count\{To="b"\} [1-9]/;
    try {
      await a.seen.until(() => measured.test(a.registry.text()), "probe");
    } finally {
      clearInterval(look);
    }
    assert.equal(
      a.seen.logs.some((line) => line.startsWith("prober")),
      false,
    );
  });
});

class TestSource implements SnapshotSource {
  readonly message: Message;
  readonly sizeBytes: number;
  closed = 0;
  readonly #file: Uint8Array;
  #at = 0;

  constructor(message: Message, file: Uint8Array) {
    this.message = message;
    this.#file = file;
    this.sizeBytes = file.length;
  }

  read(done: Done<Uint8Array | null>): void {
    const piece = this.#file.subarray(this.#at, this.#at + 65_536);
    this.#at += piece.length;
    setImmediate(() => {
      done(null, piece.length === 0 ? null : piece);
    });
  }

  close(): void {
    this.closed++;
  }
}

function snapshotMessage(from: bigint, to: bigint, index: number): Message {
  const confState = {
    ...{ voters: [from], learners: [], votersOutgoing: [], learnersNext: [] },
    autoLeave: false,
  };
  const snapshot = { metadata: { confState, index, term: 2 }, data: new Uint8Array(0) };
  return { ...blank, type: 7, from, to, snapshot };
}
