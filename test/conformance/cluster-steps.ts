// Steps of the comparison of clusters: members come and go, a learner answers, a quorum is lost.
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";

import * as rpc from "../../src/gen/rpc_pb.js";
import type { ClusterMember } from "../e2e/cluster.ts";
import { Failure, methods, TestClient, type Method } from "../server/client.ts";
import type { Transcript } from "./cluster-answers.ts";
import { listening, until, utf8 } from "./mixed-cluster.ts";
import { create, toBinary } from "@bufbuild/protobuf";

const httpTimeoutMs = 20_000;
const key = utf8("k");

function show(answer: object | Failure): string {
  if (answer instanceof Failure) return `code ${String(answer.code)}: ${answer.message}`;
  // A new member of Go etcd learns its storage version some seconds after it serves.
  const blanked = new Set([
    "storageVersion",
    "raftTerm",
    "raftIndex",
    "raftAppliedIndex",
    "dbSize",
    "dbSizeInUse",
  ]);
  return JSON.stringify(sortMembers(answer), (name, value: unknown) => {
    if (name.startsWith("$") || blanked.has(name)) return undefined;
    if (typeof value === "bigint") return String(value);
    return value instanceof Uint8Array ? new TextDecoder().decode(value) : value;
  });
}

/** Their order is that of ids, and an added one's id is another one each time. */
function sortMembers(answer: object): object {
  if (!("members" in answer)) return answer;
  const members = [...(answer.members as rpc.Member[])];
  return { ...answer, members: members.sort((a, b) => (a.peerURLs[0]! < b.peerURLs[0]! ? -1 : 1)) };
}

/** One call; its answer is noted and handed back. */
async function ask<Q extends DescMessage, A extends DescMessage>(
  t: Transcript,
  name: string,
  by: ClusterMember,
  method: Method<Q, A>,
  init: MessageInitShape<Q>,
): Promise<MessageShape<A> | Failure> {
  const answer = await t.mixed.client(by).call(method, init);
  t.note(`${name} (${by.name})`, show(answer));
  return answer;
}

/** A change is refused while members have not been connected for five seconds. */
async function whenHealthy<T>(what: string, change: () => Promise<T | Failure>): Promise<T> {
  return until(what, async () => {
    const answer = await change();
    return answer instanceof Failure && /unhealthy|not enough started/.test(answer.message)
      ? null
      : (answer as T);
  });
}

async function addLearner(t: Transcript, by: ClusterMember, url: string): Promise<bigint> {
  const { member } = await whenHealthy("a learner to be added", () =>
    t.mixed.client(by).call(methods.memberAdd, { peerURLs: [url], isLearner: true }),
  );
  t.added.push(member!.ID);
  return member!.ID;
}

/** Refusals of member changes, on the leader and on a follower. */
export async function memberSteps(t: Transcript): Promise<void> {
  const [first, second] = t.mixed.members as [ClusterMember, ClusterMember];
  const firstId = await t.mixed.idOf(first);
  const spare = t.mixed.portsAt(5);
  const free = `http://127.0.0.1:${String(spare.peer)}`;
  const learner = await addLearner(t, first, free);
  for (const by of [first, second]) {
    const note = ask.bind(null, t);
    await note("add a used URL", by, methods.memberAdd, { peerURLs: [second.peerUrl] });
    await note("add no URL", by, methods.memberAdd, { peerURLs: [] });
    await note("add what is no URL", by, methods.memberAdd, { peerURLs: ["127.0.0.1"] });
    await note("add a second learner", by, methods.memberAdd, {
      ...{ peerURLs: ["http://127.0.0.1:1"], isLearner: true },
    });
    await note("promote one that never started", by, methods.memberPromote, { ID: learner });
    await note("promote a voter", by, methods.memberPromote, { ID: firstId });
    await note("promote nobody", by, methods.memberPromote, { ID: 1n });
    await note("remove nobody", by, methods.memberRemove, { ID: 1n });
    await note("update nobody", by, methods.memberUpdate, { ID: 1n, peerURLs: ["http://a:1"] });
    await note("update to a used URL", by, methods.memberUpdate, {
      ...{ ID: firstId, peerURLs: [second.peerUrl] },
    });
    await note("move the leader to a learner", by, methods.moveLeader, { targetID: learner });
    await note("list", by, methods.memberList, { linearizable: true });
  }
  await ask(t, "remove a learner", second, methods.memberRemove, { ID: learner });
  await ask(t, "remove it again", second, methods.memberRemove, { ID: learner });
  await ask(t, "promote a removed one", second, methods.memberPromote, { ID: learner });
  // An id is made of URL and second: the removed one's must not come again.
  for (const [name, port] of [
    ["add a voter", spare.client],
    ["add another one before it starts", 1],
  ] as const) {
    const answer = await t.mixed.client(second).call(methods.memberAdd, {
      peerURLs: [`http://127.0.0.1:${String(port)}`],
    });
    if (!(answer instanceof Failure)) t.added.push(answer.member!.ID);
    t.note(name, answer instanceof Failure ? show(answer) : "added");
  }
  await ask(t, "add a third one before they start", first, methods.memberAdd, {
    peerURLs: ["http://127.0.0.1:2"],
  });
  await ask(t, "remove a started one before they start", first, methods.memberRemove, {
    ID: await t.mixed.idOf(second),
  });
  for (const ID of t.added.slice(1)) {
    const answer = await t.mixed.client(first).call(methods.memberRemove, { ID });
    t.note("remove one that never started", answer instanceof Failure ? show(answer) : "removed");
  }
}

/** What a learner serves and refuses; its promotion through a follower; its removal. */
export async function learnerSteps(t: Transcript): Promise<void> {
  const { mixed } = t;
  const [first, second] = mixed.members as [ClusterMember, ClusterMember];
  await mixed.put(first, "k", "1");
  const { member, id } = await mixed.join(mixed.kindOf(first), second);
  t.added.push(id);
  await until("the learner to catch up", async () => {
    const answer = await mixed.client(member).call(methods.range, { key, serializable: true });
    return answer instanceof Failure || answer.count === 0n ? null : true;
  });
  const note = ask.bind(null, t);
  await note("learner: range", member, methods.range, { key });
  await note("learner: serializable range", member, methods.range, { key, serializable: true });
  await note("learner: put", member, methods.put, { key });
  await note("learner: delete", member, methods.deleteRange, { key });
  await note("learner: txn", member, methods.txn, {});
  await note("learner: compact", member, methods.compact, { revision: 1n });
  await note("learner: grant", member, methods.leaseGrant, { TTL: 60n });
  await note("learner: leases", member, methods.leases, {});
  await note("learner: timeToLive", member, methods.timeToLive, { ID: 1n });
  await note("learner: status", member, methods.status, {});
  await note("learner: hashKV", member, methods.hashKv, {});
  await note("learner: alarms", member, methods.alarm, {});
  await note("learner: defragment", member, methods.defragment, {});
  await note("learner: list", member, methods.memberList, {});
  await note("learner: linearizable list", member, methods.memberList, { linearizable: true });
  await note("learner: add", member, methods.memberAdd, { peerURLs: ["http://127.0.0.1:1"] });
  await note("learner: move leader", member, methods.moveLeader, { targetID: id });
  t.note("learner: watch", await watchFailure(member, false));
  await httpSteps(t, "learner", member);
  await mixed.promote(id, second);
  await member.ready();
  await note("promoted: status", member, methods.status, {});
  await note("promoted: put", member, methods.put, { key });
  await whenHealthy("the learner that was to be removed", () =>
    mixed.client(second).call(methods.memberRemove, { ID: id }),
  );
  t.note("a removed member ends", `exit code ${String(await endOf(member))}`);
  mixed.dropClient(member);
  member.spawn();
  await endOf(member); // the code depends on who tells it first
  t.note("a removed member starts again", "it ended");
  const known = /permanently removed|been removed|removed from the cluster/.test(member.log());
  t.note("a removed member says so", String(known));
  await mixed.cluster.remove(member);
}

function endOf(member: ClusterMember): Promise<number | null> {
  return until(`${member.name} to end`, async () => {
    return member.isRunning ? null : { code: await member.ended() };
  }).then(({ code }) => code);
}

/** How a watch on everything ends, or "created". */
function watchFailure(member: ClusterMember, needsLeader: boolean): Promise<string> {
  const client = new TestClient(member.endpoint);
  const stream = client.stream("/etcdserverpb.Watch/Watch", metadataOf(needsLeader));
  const request = create(rpc.WatchRequestSchema, {
    requestUnion: { case: "createRequest", value: { key } },
  });
  return new Promise<string>((resolve) => {
    stream.on("error", (error: Error & { code?: number; details?: string }) => {
      resolve(`code ${String(error.code)}: ${String(error.details)}`);
    });
    stream.once("data", () => {
      resolve("created");
    });
    stream.write(Buffer.from(toBinary(rpc.WatchRequestSchema, request)));
  }).finally(() => {
    stream.cancel();
    client.close();
  });
}

function metadataOf(needsLeader: boolean): Metadata {
  const metadata = new Metadata();
  if (needsLeader) metadata.set("hasleader", "true");
  return metadata;
}

async function httpSteps(t: Transcript, name: string, member: ClusterMember): Promise<void> {
  for (const path of ["/health", "/health?serializable=true", "/livez", "/readyz"]) {
    const response = await fetch(`http://${member.endpoint}${path}`, {
      signal: AbortSignal.timeout(httpTimeoutMs),
    });
    // The checks come in the order of a map.
    const lines = (await response.text()).split("\n").sort();
    t.note(`${name}: ${path}`, `${String(response.status)} ${lines.join("\n")}`);
  }
}

/** Two of three are gone. */
export async function lostQuorumSteps(t: Transcript): Promise<void> {
  const { mixed } = t;
  const [first, second, third] = mixed.members as [ClusterMember, ClusterMember, ClusterMember];
  await mixed.moveLeader(first);
  const open = new TestClient(first.endpoint);
  const watch = ended(open, "/etcdserverpb.Watch/Watch", true);
  await third.end("SIGKILL");
  await ask(t, "one down: remove another one", first, methods.memberRemove, {
    ID: await mixed.idOf(second),
  });
  await ask(t, "one down: add", first, methods.memberAdd, { peerURLs: ["http://127.0.0.1:1"] });
  await t.ctl("endpoint health", [third.endpoint]);
  await second.end("SIGKILL");
  await until("the leader to step down", async () => {
    const status = await mixed.client(first).call(methods.status, {});
    return status instanceof Failure || status.leader !== 0n ? null : true;
  });
  t.note("no quorum: an open watch that needs a leader", await watch);
  open.close();
  const put = { key, value: key };
  const client = mixed.client(first);
  const [range, written] = await Promise.all([
    client.call(methods.range, { key }),
    client.call(methods.put, put),
  ]);
  t.note("no quorum: range", show(range));
  // Go etcd waits for a leader until the request times out; Quorate says at once that there is
  // none.
  t.note("no quorum: put", written instanceof Failure ? "refused" : "accepted");
  await ask(t, "no quorum: serializable range", first, methods.range, { key, serializable: true });
  await ask(t, "no quorum: status", first, methods.status, {});
  await ask(t, "no quorum: list", first, methods.memberList, {});
  await ask(t, "no quorum: hashKV", first, methods.hashKv, {});
  await ask(t, "no quorum: move leader", first, methods.moveLeader, {
    targetID: 1n,
  });
  for (const [path, body] of needingLeader) {
    const answer = await mixed.client(first).raw(path, body, metadataOf(true));
    t.note(`no quorum: hasleader ${path}`, answer instanceof Failure ? show(answer) : "answered");
  }
  t.note("no quorum: watch", await watchFailure(first, false));
  t.note("no quorum: hasleader watch", await watchFailure(first, true));
  await httpSteps(t, "no quorum", first);
  for (const member of [second, third]) member.spawn();
  await mixed.cluster.ready();
  for (const member of [second, third]) mixed.dropClient(member);
  await listening(first);
  await ask(t, "quorum again: put", first, methods.put, put);
}

const needingLeader: [string, Uint8Array][] = [
  ["/etcdserverpb.KV/Range", toBinary(rpc.RangeRequestSchema, serializable())],
  ["/etcdserverpb.KV/Put", toBinary(rpc.PutRequestSchema, create(rpc.PutRequestSchema, { key }))],
  ["/etcdserverpb.Maintenance/Status", new Uint8Array(0)],
  ["/etcdserverpb.Cluster/MemberList", new Uint8Array(0)],
];

function serializable(): rpc.RangeRequest {
  return create(rpc.RangeRequestSchema, { key, serializable: true });
}

/** The failure that ends a stream. */
function ended(client: TestClient, path: string, needsLeader: boolean): Promise<string> {
  return new Promise((resolve) => {
    const stream = client.stream(path, metadataOf(needsLeader));
    stream.on("error", (error: Error & { code?: number; details?: string }) => {
      resolve(`code ${String(error.code)}: ${String(error.details)}`);
    });
    stream.resume();
  });
}
