// Our transport as a learner in a cluster of Go etcd: it takes part in the protocol without a raft
// of its own, acknowledging what it is sent.
import { Buffer } from "node:buffer";

import type { Message } from "../../src/raft/message.ts";
import { blank, established, startMember, type TestMember } from "../peer/rig.ts";
import type { Report } from "./report.ts";
import type { Server } from "./servers.ts";

const type = { app: 3, appResp: 4, heartbeat: 8, heartbeatResp: 9 } as const;
const writes = 200;

async function json(server: Server, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(`http://${server.endpoint}${path}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${text}`);
  return JSON.parse(text);
}

interface Identity {
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

/** Acknowledges every append and heartbeat, as a follower whose log takes everything. */
function acknowledge(member: TestMember, from: number): number {
  const { messages } = member.seen;
  const answers: Message[] = [];
  for (const message of messages.slice(from)) {
    const { term, index, entries, from: leader, context } = message;
    const head = { ...blank, from: member.id, to: leader, term };
    if (message.type === type.app) {
      answers.push({ ...head, type: type.appResp, index: index + entries.length });
    } else if (message.type === type.heartbeat) {
      answers.push({ ...head, type: type.heartbeatResp, context });
    }
  }
  member.transport.send(answers);
  return messages.length;
}

/** Values of the puts among the entries that came, in the order of their indexes. */
function valuesOf(messages: readonly Message[]): string[] {
  const byIndex = new Map<number, string>();
  for (const message of messages) {
    for (const { index, data } of message.entries) {
      const found = /peer-value-\d+/.exec(Buffer.from(data).toString("latin1"));
      if (found !== null) byIndex.set(index, found[0]);
    }
  }
  return [...byIndex].sort(([a], [b]) => a - b).map(([, value]) => value);
}

export async function startLearner(
  report: Report,
  etcd: Server,
  identity: Identity,
): Promise<void> {
  // The id is Go's to give, the URL is ours: a first member only reserves the port.
  const reserved = await startMember(1n, { clusterId: identity.clusterId });
  const { url } = reserved;
  await reserved.stop();
  const added = (await json(etcd, "/v3/cluster/member/add", {
    peerURLs: [url],
    isLearner: true,
  })) as { readonly member: { readonly ID: string } };
  const id = BigInt(added.member.ID);
  const learner = await startMember(id, { clusterId: identity.clusterId, listenUrl: url });
  const { seen, transport } = learner;
  try {
    transport.addPeer(identity.memberId, [`http://${etcd.peerEndpoint}`]);
    const streams = (): number => seen.logs.filter((line) => line === established).length;
    await seen.until(() => streams() >= 4, "four streams with Go etcd");
    report.pass();
    let answered = 0;
    for (let i = 0; i < writes; i++) {
      const value = Buffer.from(`peer-value-${i}`).toString("base64");
      await json(etcd, "/v3/kv/put", { key: "cGVlcg==", value });
      answered = acknowledge(learner, answered);
    }
    await seen.until(() => {
      answered = acknowledge(learner, answered);
      return valuesOf(seen.messages).length === writes;
    }, "every entry of Go etcd");
    const want = Array.from({ length: writes }, (_, i) => `peer-value-${i}`);
    report.compare("entries from Go etcd", want.join("\n"), valuesOf(seen.messages).join("\n"));
    const continued = seen.messages.filter((m) => m.type === type.app && m.entries.length > 0);
    report.compare("appends came over the stream", "true", String(continued.length > 1));
    await compareCall(report, learner, identity.memberId);
  } finally {
    await learner.stop();
  }
}

/** A request to Go etcd's peer handlers by way of the transport. */
async function compareCall(report: Report, learner: TestMember, to: bigint): Promise<void> {
  const answer = await new Promise<string>((resolve) => {
    const request = { method: "GET" as const, path: "/version", timeoutMs: 5_000 };
    learner.transport.call(to, request, (error, { status, body }) => {
      resolve(error?.message ?? `${status} ${Buffer.from(body).toString()}`);
    });
  });
  const want = '200 {"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0"}';
  report.compare("a call to Go etcd", want, answer);
}
