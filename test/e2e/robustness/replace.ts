// A member is taken out, loses its data, and comes back as a new one: learner first, then voter.
import { setTimeout as delay } from "node:timers/promises";

import { Failure } from "../../server/client.ts";
import type { ClusterMember } from "../cluster.ts";
import type { Arena } from "./arena.ts";
import { methods } from "./connection.ts";

const changeMsMax = 3_000;

export async function replaceMember(arena: Arena): Promise<void> {
  const victim = arena.random.below(2) === 0 ? await arena.leaderOrAny() : arena.any();
  const known = await arena.list();
  const old = known.find((member) => member.name === victim.name);
  if (old === undefined) throw new Error(`${victim.name} is no member`);
  const isDiskLost = arena.random.below(2) === 0;
  arena.tell(`${victim.name} ${isDiskLost ? "loses its disk, then" : ""} is removed`);
  victim.allowEnd(); // a removed member ends by itself
  if (isDiskLost) await victim.end("SIGKILL");
  await arena.persist(`MemberRemove of ${victim.name}`, async (connection) => {
    if ((await arena.list()).every((member) => member.ID !== old.ID)) return true; // an earlier try
    const answer = await connection.call(methods.memberRemove, { ID: old.ID }, changeMsMax);
    return answer instanceof Failure ? answer : true;
  });
  await delay(arena.random.below(1_000));
  await victim.end("SIGKILL");
  victim.wipe();
  await addAgain(arena, victim);
  arena.mark("replace", victim.name);
}

async function addAgain(arena: Arena, victim: ClusterMember): Promise<void> {
  const peerURLs = [victim.peerUrl];
  const find = async (): Promise<bigint | null> => {
    const found = (await arena.list()).find((member) => member.peerURLs[0] === victim.peerUrl);
    return found?.ID ?? null;
  };
  const id = await arena.persist(`MemberAdd of ${victim.name}`, async (connection) => {
    const added = await find();
    if (added !== null) return added;
    const request = { peerURLs, isLearner: true };
    const answer = await connection.call(methods.memberAdd, request, changeMsMax);
    return answer instanceof Failure ? answer : (answer.member?.ID ?? 0n);
  });
  arena.tell(`${victim.name} is a learner`);
  victim.setBootstrap(arena.cluster.initialCluster(), "existing", "quorate-e2e");
  victim.spawn();
  await arena.persist(`MemberPromote of ${victim.name}`, async (connection) => {
    const now = (await arena.list()).find((member) => member.ID === id);
    if (now?.isLearner === false) return true;
    const answer = await connection.call(methods.memberPromote, { ID: id }, changeMsMax);
    return answer instanceof Failure ? answer : true;
  });
  arena.tell(`${victim.name} votes`);
}
