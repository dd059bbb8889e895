// The peer port: raw requests to Go etcd and to our handlers of the same identity, and a cluster of
// Go etcd in which our transport is the learner.
import { request, type IncomingHttpHeaders } from "node:http";

import { encodeMessage } from "../../src/codec/raft.ts";
import { Writer } from "../../src/codec/writer.ts";
import type { Message } from "../../src/raft/message.ts";
import { blank, startMember, type TestMember } from "../peer/rig.ts";
import type { Programs } from "./build.ts";
import { startLearner } from "./peers-learner.ts";
import type { Report } from "./report.ts";
import { startServer } from "./servers.ts";

interface Ask {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const askTimeoutMs = 10_000;
const comparedHeaders = [
  ...["allow", "content-type", "location", "x-content-type-options"],
  ...["x-etcd-cluster-id", "x-server-version"],
];

/** A stream's answer is its head: the body never ends. */
function ask(endpoint: string, { method, path, headers, body }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const [host, port] = endpoint.split(":");
    const length = body === undefined ? {} : { "Content-Length": String(body.length) };
    const call = request({
      ...{ host, port, method, path, agent: false, timeout: askTimeoutMs },
      headers: { ...headers, ...length },
    });
    call.on("error", reject);
    call.on("timeout", () => call.destroy(new Error("no answer")));
    call.on("response", (response) => {
      const status = response.statusCode ?? 0;
      const parts: Uint8Array[] = [];
      const finish = (): void => {
        const text = Buffer.concat(parts).toString();
        resolve({ status, headers: response.headers, body: text });
        call.destroy();
      };
      if (path.startsWith("/raft/stream/") && status === 200) finish();
      response.on("data", (chunk: Uint8Array) => parts.push(chunk));
      response.on("close", finish); // some answers of Go etcd break off
      response.on("error", () => undefined);
    });
    call.end(body);
  });
}

async function show(endpoint: string, what: Ask): Promise<string> {
  const { status, headers, body } = await ask(endpoint, what);
  const lines = comparedHeaders.map((name) => `${name}: ${String(headers[name] ?? "")}`);
  const text = body
    .replace(/"Now":"[^"]*"/, '"Now":"…"')
    .replace(/proto:.cannot/u, "proto: cannot"); // a blank or a no-break space, by build
  return [`status ${status}`, ...lines, text].join("\n");
}

function encoded(message: Partial<Message>): Uint8Array {
  const out = new Writer();
  encodeMessage(out, { ...blank, ...message });
  return out.copy();
}

function framed(length: number, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(8 + bytes.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(length));
  out.set(bytes, 8);
  return out;
}

interface Identity {
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

async function identify(endpoint: string): Promise<Identity> {
  const { headers, body } = await ask(endpoint, { method: "GET", path: "/members" });
  const id = /"id":(\d+)/.exec(body)?.[1] ?? "0";
  return {
    memberId: BigInt(id),
    clusterId: BigInt(`0x${String(headers["x-etcd-cluster-id"])}`),
  };
}

const stranger = 0xabcn;

function headerSets({ memberId, clusterId }: Identity): Record<string, Record<string, string>> {
  const good = {
    "X-Server-From": stranger.toString(16),
    "X-Server-Version": "3.7.1",
    "X-Min-Cluster-Version": "3.0.0",
    "X-Etcd-Cluster-ID": clusterId.toString(16),
    "X-Raft-To": memberId.toString(16),
  };
  return {
    none: {},
    good,
    "another cluster": { ...good, "X-Etcd-Cluster-ID": "1" },
    "an empty cluster": { ...good, "X-Etcd-Cluster-ID": "" },
    "an old version": { ...good, "X-Server-Version": "2.3.8" },
    "no version": { ...good, "X-Server-Version": "" },
    "a newer patch": { ...good, "X-Server-Version": "3.7.99" },
    "a newer minor": { ...good, "X-Server-Version": "3.8.0" },
    "a newer least version": { ...good, "X-Min-Cluster-Version": "3.8.0" },
    "another member": { ...good, "X-Raft-To": "77" },
  };
}

const paths = [
  ...["/raft", "/raft/", "/raft/nothing", "/raft/snapshot", "/raft/snapshot/", "/raft/probing"],
  ...["/raft/stream/", "/raft/stream/msgapp", "/raft/stream/msgapp/", "/raft/stream/msgapp/zz"],
  ...["/raft/stream/msgapp/abc", "/raft/stream/message/abc", "/raft/stream/other/abc"],
  ...["/raft/stream/message/", "/raft/stream/message/abc/", "/raft/stream/message/-1"],
  ...["/raft/stream/message/11112222333344445", "/", "/health", "/metrics", "/members/"],
  ...["/raft?query=1", "/leases/nothing", "/downgrade", "/v3/kv/range"],
];

function asks(identity: Identity): [name: string, what: Ask][] {
  const list: [string, Ask][] = [];
  const sets = headerSets(identity);
  for (const path of paths) {
    for (const method of ["GET", "POST", "PUT", "DELETE"]) {
      for (const [name, headers] of Object.entries(sets)) {
        if (!path.startsWith("/raft") && name !== "none") continue;
        list.push([`${method} ${path}, ${name}`, { method, path, headers }]);
      }
    }
  }
  const { good } = sets;
  const to = identity.memberId;
  const bodies: [string, string, Uint8Array][] = [
    ["/raft", "a heartbeat", encoded({ type: 8, from: stranger, to })],
    ["/raft", "to another member", encoded({ type: 8, from: stranger, to: 77n })],
    ["/raft", "a local message", encoded({ type: 0, from: stranger, to })],
    ["/raft", "garbage", new Uint8Array([0xff, 0xff, 0xff])],
    ["/raft", "a cut message", encoded({ type: 8, from: stranger, to }).subarray(0, 5)],
    ["/raft/snapshot", "half a length", new Uint8Array(4)],
    ["/raft/snapshot", "only a length", framed(100, new Uint8Array(0))],
    ["/raft/snapshot", "a cut message", framed(100, new Uint8Array(50))],
    ["/raft/snapshot", "too long a message", framed(64 * 1024 * 1024 + 1, new Uint8Array(50))],
    ["/raft/snapshot", "garbage", framed(3, new Uint8Array([0xff, 0xff, 0xff]))],
    ["/raft/snapshot", "no snapshot", snapshotBody({ type: 8, from: stranger, to })],
  ];
  for (const [path, name, body] of bodies) {
    list.push([
      `POST ${path}, ${name}`,
      { method: "POST", path, body, ...(good === undefined ? {} : { headers: good }) },
    ]);
  }
  return list;
}

function snapshotBody(message: Partial<Message>): Uint8Array {
  const bytes = encoded(message);
  return framed(bytes.length, bytes);
}

/** Our handlers under the identity of Go etcd's member. */
async function startTwin({ memberId, clusterId }: Identity): Promise<TestMember> {
  return startMember(memberId, { clusterId });
}

async function compareAnswers(report: Report, endpoint: string): Promise<void> {
  const identity = await identify(endpoint);
  const twin = await startTwin(identity);
  try {
    for (const [name, what] of asks(identity)) {
      const [want, got] = await Promise.all([
        show(endpoint, what),
        show(twin.url.replace("http://", ""), what),
      ]);
      report.compare(`peer port: ${name}`, want, got);
    }
  } finally {
    await twin.stop();
  }
}

export async function comparePeers(report: Report, programs: Programs): Promise<void> {
  const etcd = await startServer({
    ...{ label: "etcd", program: programs.etcd },
    flags: ["--log-level", "warn", "--unsafe-no-fsync", "--snapshot-count", "1000"],
  });
  try {
    await compareAnswers(report, etcd.peerEndpoint);
    const identity = await identify(etcd.peerEndpoint);
    await startLearner(report, etcd, identity);
  } finally {
    await etcd.close();
  }
}
