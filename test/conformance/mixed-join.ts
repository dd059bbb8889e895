// A learner of one kind joins a cluster of the other kind, once by log and once by snapshot, is
// promoted, leads and serves.
import { Failure, methods } from "../server/client.ts";
import type { ClusterMember } from "../e2e/cluster.ts";
import type { Programs } from "./build.ts";
import { MixedCluster, until, utf8, type Kind } from "./mixed-cluster.ts";
import type { Report } from "./report.ts";

const fewPuts = 20;
const manyPuts = 1_500;
const putsAtOnce = 50;
const valueBytes = 500;
/** Short logs: a member that was away for many entries needs a snapshot. */
const flags = ["--snapshot-count", "100", "--snapshot-catchup-entries", "10"];

async function fill(mixed: MixedCluster, prefix: string, count: number): Promise<void> {
  const by = mixed.client(mixed.members[0]!);
  const value = utf8("v".repeat(valueBytes));
  for (let i = 0; i < count; i += putsAtOnce) {
    const keys = Array.from({ length: Math.min(putsAtOnce, count - i) }, (_, k) => i + k);
    await Promise.all(
      keys.map((k) => by.must(methods.put, { key: utf8(`${prefix}${String(k)}`), value })),
    );
  }
}

async function snapshotsReceived(member: ClusterMember): Promise<number> {
  const response = await fetch(`http://${member.endpoint}/metrics`);
  const lines = (await response.text()).split("\n");
  return lines
    .filter((line) => line.startsWith("etcd_network_snapshot_receive_success{"))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** What a learner refuses and what it answers. */
async function checkLearner(
  report: Report,
  mixed: MixedCluster,
  member: ClusterMember,
): Promise<void> {
  const client = mixed.client(member);
  const key = utf8("few0");
  const refused = await client.call(methods.range, { key });
  const text = refused instanceof Failure ? refused.message : "answered";
  report.compare(`${member.name} as learner`, "etcdserver: rpc not supported for learner", text);
  const count = await until(`${member.name} to catch up`, async () => {
    const answer = await client.call(methods.range, { key, serializable: true });
    return answer instanceof Failure || answer.count === 0n ? null : answer.count;
  });
  report.compare(`${member.name} reads as learner`, "1", String(count));
  const { isLearner } = await client.must(methods.status, {});
  report.compare(`${member.name} knows that it is a learner`, "true", String(isLearner));
}

/** The new voter leads: it and the others write and read through it. */
async function checkLeading(
  report: Report,
  mixed: MixedCluster,
  member: ClusterMember,
): Promise<void> {
  await mixed.moveLeader(member);
  for (const by of mixed.running) {
    await mixed.put(by, `by-${by.name}`, member.name);
    const { kvs } = await mixed.client(member).must(methods.range, { key: utf8(`by-${by.name}`) });
    report.compare(
      `${member.name} leads and reads what ${by.name} wrote`,
      member.name,
      new TextDecoder().decode(kvs[0]?.value),
    );
  }
  const id = (await mixed.client(member).must(methods.leaseGrant, { TTL: 600n })).ID;
  await mixed
    .client(mixed.members[0]!)
    .must(methods.put, { key: utf8("leased"), value: utf8("1"), lease: id });
  await mixed.client(member).must(methods.leaseRevoke, { ID: id });
  const { count } = await mixed.client(mixed.members[0]!).must(methods.range, {
    key: utf8("leased"),
  });
  report.compare(`${member.name} leads and revokes a lease`, "0", String(count));
  await mixed.compareHashes(report, `${member.name} leads`);
}

async function joinAndLead(
  report: Report,
  mixed: MixedCluster,
  kind: Kind,
  isBySnapshot: boolean,
): Promise<void> {
  const first = mixed.members[0]!;
  const { member, id } = await mixed.join(kind, first);
  await checkLearner(report, mixed, member);
  const received = await snapshotsReceived(member);
  report.compare(
    `${member.name} caught up by ${isBySnapshot ? "snapshot" : "log"}`,
    String(isBySnapshot),
    String(received > 0),
  );
  await mixed.promote(id, first);
  await member.ready();
  await checkLeading(report, mixed, member);
  await mixed.moveLeader(first);
}

/** Three members of `host`; then one of `guest` joins by log, another one by snapshot. */
export async function mixedJoin(
  report: Report,
  programs: Programs,
  [host, guest]: readonly [Kind, Kind],
): Promise<void> {
  await MixedCluster.run(programs, { kinds: host.repeat(3), flags }, async (mixed) => {
    await fill(mixed, "few", fewPuts);
    await joinAndLead(report, mixed, guest, false);
    await fill(mixed, "many", manyPuts);
    await joinAndLead(report, mixed, guest, true);
  });
}
