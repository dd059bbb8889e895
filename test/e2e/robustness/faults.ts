// The faults, by name. Each breaks something for a while under load and repairs it before it ends;
// what "a while" and "which" mean is drawn from the run's seed.
import { setTimeout as delay } from "node:timers/promises";

import { Failure } from "../../server/client.ts";
import type { ClusterMember } from "../cluster.ts";
import type { LinkRule } from "../proxy.ts";
import type { Arena } from "./arena.ts";
import { methods } from "./connection.ts";
import { fillDisk } from "./disk-full.ts";
import { replaceMember } from "./replace.ts";

/** `secondsMax` bounds how long it may hold on. */
export type Fault = (arena: Arena, secondsMax: number) => Promise<void>;

const pauseSecondsMax = 30;
const lagEntries = 900n;
const moves = 4;

function holdMs(arena: Arena, secondsMax: number): number {
  return 500 + arena.random.below(Math.max(1, Math.floor(secondsMax * 1_000) - 500));
}

async function kill(arena: Arena): Promise<void> {
  const { random } = arena;
  const all = arena.shuffled();
  const drawn = random.below(6);
  let victims = all.slice(0, 1);
  if (drawn === 1 || drawn === 2) victims = [await arena.leaderOrAny()];
  if (drawn === 3) victims = all.slice(0, Math.floor(all.length / 2) + 1);
  if (drawn > 3) victims = all;
  arena.mark(victims.length === all.length ? "kill all" : "kill", names(victims));
  await Promise.all(victims.map((victim) => victim.end("SIGKILL")));
  arena.killed += victims.length;
  await delay(random.below(4) === 0 ? 0 : random.below(2_000));
  arena.startAll();
}

async function stop(arena: Arena, secondsMax: number): Promise<void> {
  const { random } = arena;
  const all = arena.shuffled();
  const drawn = random.below(4);
  let victims = all.slice(0, 1);
  if (drawn < 2) victims = [await arena.leaderOrAny()];
  if (drawn === 2) victims = all.slice(0, Math.ceil(all.length / 2));
  const most = Math.floor(Math.min(pauseSecondsMax, secondsMax) * 1_000);
  const ms = 100 + random.below(Math.max(1, most - 100));
  arena.mark("stop", `${names(victims)} for ${ms} ms`);
  for (const victim of victims) victim.signal("SIGSTOP");
  await delay(ms);
  for (const victim of victims) victim.signal("SIGCONT");
}

type Cut = LinkRule["cut"];

function cutBoth(arena: Arena, a: ClusterMember, b: ClusterMember, cut: Cut): void {
  arena.network.set(a.name, b.name, { cut });
  arena.network.set(b.name, a.name, { cut });
}

function cutGroups(
  arena: Arena,
  groups: readonly [readonly ClusterMember[], readonly ClusterMember[]],
  cut: Cut,
): void {
  for (const a of groups[0]) for (const b of groups[1]) cutBoth(arena, a, b, cut);
}

async function partition(arena: Arena, secondsMax: number): Promise<void> {
  const { random } = arena;
  const all = arena.shuffled();
  const cut = random.below(2) === 0 ? "hold" : "reset";
  const drawn = random.below(4);
  if (drawn < 2) {
    const alone = drawn === 0 ? await arena.leaderOrAny() : arena.any();
    cutGroups(arena, [[alone], all.filter((m) => m !== alone)], cut);
    arena.mark("isolate", `${alone.name}, ${cut}`);
  } else if (drawn === 2) {
    const half = Math.floor(all.length / 2);
    cutGroups(arena, [all.slice(0, half), all.slice(half)], cut);
    arena.mark("halves", `${names(all.slice(0, half))} from the others, ${cut}`);
  } else ring(arena, all, cut);
  await delay(holdMs(arena, secondsMax));
  arena.network.heal();
}

/** Each hears its two neighbours only; of three, two do not hear each other. */
function ring(arena: Arena, all: readonly ClusterMember[], cut: Cut): void {
  for (const [i, a] of all.entries()) {
    for (const [j, b] of all.entries()) {
      const distance = Math.min(Math.abs(i - j), all.length - Math.abs(i - j));
      const isFar = all.length === 3 ? i + j === 1 : distance > 1;
      if (isFar) arena.network.set(a.name, b.name, { cut });
    }
  }
  arena.mark("ring", `${names(all)}, ${cut}`);
}

async function oneWay(arena: Arena, secondsMax: number): Promise<void> {
  const { random } = arena;
  const leader = await arena.leaderOrAny();
  const others = arena.members.filter((member) => member !== leader);
  const drawn = random.below(3);
  for (const other of drawn === 2 ? [arena.any(others)] : others) {
    const [from, to] = drawn === 0 ? [leader, other] : [other, leader];
    arena.network.set(from.name, to.name, { cut: "hold" });
    arena.mark("one-way", `${from.name} is not heard by ${to.name}`);
  }
  await delay(holdMs(arena, secondsMax));
  arena.network.heal();
}

async function everyLink(
  arena: Arena,
  secondsMax: number,
  kind: string,
  rule: Partial<LinkRule>,
): Promise<void> {
  for (const a of arena.members) {
    for (const b of arena.members) if (a !== b) arena.network.set(a.name, b.name, rule);
  }
  arena.mark(kind, JSON.stringify(rule));
  await delay(holdMs(arena, secondsMax));
  arena.network.heal();
}

function lateLinks(arena: Arena, secondsMax: number): Promise<void> {
  const delayMs = 5 + arena.random.below(70);
  return everyLink(arena, secondsMax, "delay", { delayMs, jitterMs: 2 * delayMs });
}

function lossyLinks(arena: Arena, secondsMax: number): Promise<void> {
  const resetPerMille = arena.random.below(2) === 0 ? 10 : 200;
  return everyLink(arena, secondsMax, "loss", { resetPerMille });
}

async function move(arena: Arena): Promise<void> {
  for (let i = 0; i < moves; i++) {
    const leader = await arena.leaderOrAny();
    const to = arena.any(arena.members.filter((member) => member !== leader));
    const targetID = (await arena.status(to))?.header?.memberId ?? 0n;
    const answer = await arena.connection(leader).call(methods.moveLeader, { targetID }, 3_000);
    const result = answer instanceof Failure ? answer.message : "done";
    arena.tell(`leader from ${leader.name} to ${to.name}: ${result}`);
    if (!(answer instanceof Failure)) arena.mark("move", to.name);
    await delay(arena.random.below(600));
  }
}

/** One member hears nothing until the others have dropped the entries that it lacks. */
async function snapshot(arena: Arena): Promise<void> {
  const leader = await arena.leaderOrAny();
  const victim = arena.any(arena.members.filter((member) => member !== leader));
  const others = arena.members.filter((member) => member !== victim);
  const isKilled = arena.random.below(2) === 0;
  if (isKilled) await victim.end("SIGKILL");
  else cutGroups(arena, [[victim], others], "hold");
  const index = async (): Promise<bigint> => {
    const all = await Promise.all(others.map((other) => arena.status(other)));
    return all.reduce((max, s) => (s !== null && s.raftIndex > max ? s.raftIndex : max), 0n);
  };
  const begin = await index();
  await arena.wait("the others go ahead", async () => (await index()) > begin + lagEntries);
  arena.tell(`${victim.name} ${isKilled ? "was dead" : "was alone"} for ${lagEntries} entries`);
  arena.network.heal();
  arena.startAll();
  await arena.caughtUp(victim);
  arena.mark("snapshot", `${victim.name} caught up`);
}

/** Several at a time, at random. */
async function mixed(arena: Arena, secondsMax: number): Promise<void> {
  const pool = [kill, stop, partition, oneWay, lateLinks, lossyLinks, move];
  const drawn = [0, 1].map(() => pool[arena.random.below(pool.length)] ?? kill);
  await Promise.all(
    drawn.map(async (fault) => {
      await delay(arena.random.below(500));
      await fault(arena, secondsMax);
    }),
  );
}

export const faults: Readonly<Record<string, Fault>> = {
  ...{ kill, stop, partition, move, snapshot, mixed },
  "one-way": oneWay,
  delay: lateLinks,
  loss: lossyLinks,
  replace: replaceMember,
  "disk-full": fillDisk,
};

function names(members: readonly ClusterMember[]): string {
  return members.map((member) => member.name).join(" ");
}
