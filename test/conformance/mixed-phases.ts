// A mixed cluster under load: each member leads in turn, members of each kind are killed and come
// back, a member of one kind is replaced by one of the other.
import { Failure, methods } from "../server/client.ts";
import type { ClusterMember } from "../e2e/cluster.ts";
import type { Programs } from "./build.ts";
import { MixedCluster, until } from "./mixed-cluster.ts";
import { Load } from "./mixed-load.ts";
import type { Report } from "./report.ts";

const rounds = 2;
/** Logs long enough that a killed member catches up from them; snapshots are mixed-join's. */
const flags = ["--snapshot-count", "2000", "--snapshot-catchup-entries", "5000"];

async function underLoad(
  report: Report,
  name: string,
  mixed: MixedCluster,
  during: (load: Load) => Promise<void>,
): Promise<void> {
  const load = await Load.start(mixed);
  try {
    await load.progress(name);
    await during(load);
    await load.finish(report, name);
    report.note(`${name}: ${load.summary}`);
  } finally {
    await load.close();
  }
}

/** Leaders of both kinds, one after the other, more than once. */
async function leadInTurn(mixed: MixedCluster, load: Load): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const member of mixed.members) {
      await mixed.moveLeader(member);
      await load.progress(`${member.name} leads`);
    }
  }
}

/** One of each kind as leader and as follower, at once or in good order. */
async function killAndRestart(mixed: MixedCluster, load: Load): Promise<void> {
  const leaders = [
    ["q", "SIGKILL"],
    ["g", "SIGKILL"],
    ["q", "SIGTERM"], // Go etcd waits seconds for open watches
  ] as const;
  for (const [kind, signal] of leaders) {
    const member = mixed.of(kind)[0]!;
    await mixed.moveLeader(member);
    await kill(mixed, load, member, signal);
  }
  for (const kind of ["q", "g"] as const) {
    const leader = await mixed.leader();
    const member = mixed.of(kind).find((one) => one !== leader);
    if (member !== undefined) await kill(mixed, load, member, "SIGKILL");
  }
}

async function kill(
  mixed: MixedCluster,
  load: Load,
  member: ClusterMember,
  signal: NodeJS.Signals,
): Promise<void> {
  await member.end(signal);
  mixed.dropClient(member);
  await load.progress(`${member.name} ended by ${signal}`);
  await member.start();
  mixed.dropClient(member);
  await load.progress(`${member.name} is back`);
}

/** The member leaves, one of the other kind takes its place, and the other way round. */
async function replaceAndBack(mixed: MixedCluster, load: Load): Promise<void> {
  for (const [from, to] of [
    ["g", "q"],
    ["q", "g"],
  ] as const) {
    const leaving = mixed.of(from).at(-1)!;
    const staying = mixed.running.find((member) => member !== leaving)!;
    const id = await mixed.idOf(leaving);
    await mixed.moveLeader(staying);
    load.unwatch(leaving);
    // Refused until everybody has been connected for some seconds.
    await until(`${leaving.name} to be removed`, async () => {
      const answer = await mixed.client(staying).call(methods.memberRemove, { ID: id });
      return answer instanceof Failure ? null : true;
    });
    mixed.dropClient(leaving);
    await mixed.cluster.remove(leaving);
    await load.progress(`${leaving.name} is removed`);
    const { member, id: newId } = await mixed.join(to, staying);
    await mixed.promote(newId, staying);
    await member.ready();
    load.watch(member);
    await load.progress(`${member.name} took its place`);
  }
}

export async function mixedPhases(
  report: Report,
  programs: Programs,
  kinds: string,
): Promise<void> {
  await MixedCluster.run(programs, { kinds, flags }, async (mixed) => {
    await underLoad(report, `${kinds}, each leads`, mixed, (load) => leadInTurn(mixed, load));
    await underLoad(report, `${kinds}, killed`, mixed, (load) => killAndRestart(mixed, load));
    await underLoad(report, `${kinds}, replaced`, mixed, (load) => replaceAndBack(mixed, load));
  });
}
