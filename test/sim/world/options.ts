/** What a seed draws before its run: sizes, rates, limits, and which faults there are at all. */

import type { Random } from "../../../src/base/ports.ts";

export const faultNames = [
  "crash",
  "crash-all",
  "pause",
  "partition",
  "one-way",
  "clog",
  "loss",
  "duplicate",
  "reorder",
  "lost-reply",
  "disk-error",
  "disk-slow",
  "clock-rate",
  "wall-jump",
  "move-leader",
  "compact",
  "defragment",
  "membership",
  "stretch",
  "tail",
  "late",
  "vote-crash",
  "bit-rot",
] as const;
export type FaultName = (typeof faultNames)[number];

export interface SimOptions {
  readonly seed: number;
  /** Simulated milliseconds of load under faults. */
  readonly durationMs: number;
  readonly members: number;
  readonly clients: number;
  readonly watchers: number;
  readonly leaseClients: number;
  readonly appendClients: number;
  readonly leaderClients: number;
  readonly keys: number;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  /** Mean one-way delay between members. */
  readonly delayMs: number;
  readonly lossPerMille: number;
  readonly duplicatePerMille: number;
  readonly lostReplyPerMille: number;
  /** Messages that arrive once more, some elections later. */
  readonly latePerMille: number;
  /** Mean pause between two faults. */
  readonly faultEveryMs: number;
  /** Mean pause of a client between two operations while it is busy. */
  readonly thinkMs: number;
  readonly segmentBytes: number;
  /** Entries kept in memory for members that lag: beyond that they get a snapshot. */
  readonly catchUpEntries: number;
  readonly inlineEntriesMax: number;
  readonly batchIntervalMs: number;
  readonly commitDelayMsMax: number;
  /** Most bytes that every value gets beside its own few. */
  readonly valueBytesMax: number;
  /** Elections all the time; members that end are soon back. */
  readonly isStormy: boolean;
  readonly faults: ReadonlySet<FaultName>;
}

export function drawOptions(
  seed: number,
  durationMs: number,
  random: Random,
  without: ReadonlySet<FaultName> = new Set(),
): SimOptions {
  const between = (low: number, high: number): number => low + random.below(high - low + 1);
  const one = <T>(...values: readonly T[]): T => values[random.below(values.length)]!;
  const faults = new Set<FaultName>();
  for (const name of faultNames) {
    const isOn = random.fork(`fault ${name}`).below(2) === 0; // one fault shifts no other
    if (isOn && !without.has(name)) faults.add(name);
  }
  const isHeavy = random.fork("heavy").below(4) === 0; // long values, and a slow backend
  const isStormy = random.fork("stormy").below(stormyEvery) === 0;
  if (random.fork("rot").below(3) > 0) faults.delete("bit-rot"); // it costs the run a member
  if (isStormy) for (const name of stormyFaults) if (!without.has(name)) faults.add(name);
  const heartbeatMs = one(20, 50, 100);
  const calm = {
    heartbeatMs,
    leaderClients: random.fork("leader clients").below(3),
    valueBytesMax: isHeavy ? 4000 : 0,
    latePerMille: faults.has("late") ? 1 + random.fork("late").below(isStormy ? 60 : 10) : 0,
    members: one(1, 3, 3, 3, 3, 5, 5, 7),
    clients: between(2, 8),
    watchers: between(1, 4),
    leaseClients: between(0, 2),
    appendClients: one(0, 0, 2, 4),
    keys: between(1, 12),
    electionMs: heartbeatMs * one(10, 10, 20),
    delayMs: one(0.5, 2, 5, 10),
    lossPerMille: faults.has("loss") ? between(1, 200) : 0,
    duplicatePerMille: faults.has("duplicate") ? between(1, 300) : 0,
    lostReplyPerMille: faults.has("lost-reply") ? between(1, 50) : 0,
    faultEveryMs: between(200, 4000),
    thinkMs: one(3, 20, 50, 200),
    segmentBytes: one(8 * 1024, 32 * 1024, 256 * 1024),
    catchUpEntries: one(50, 50, 200, 5000),
    inlineEntriesMax: one(0, 8),
    batchIntervalMs: one(10, 30, 100, 1000),
    commitDelayMsMax: one(1, 5, 50) * (isHeavy ? 20 : 1),
  };
  return { ...{ seed, durationMs, faults, isStormy }, ...calm, ...(isStormy ? stormOf(calm) : {}) };
}

/** One seed in so many has elections all the time. */
const stormyEvery = 4;
const stormyFaults = ["crash", "move-leader", "stretch", "tail", "late", "vote-crash"] as const;

/**
 * Few members whose elections are short, and which hardly rest between two faults; the log often
 * lets go of what the backend has just written.
 */
function stormOf(calm: Pick<SimOptions, "members" | "faultEveryMs">): Partial<SimOptions> {
  const members = calm.members === 5 ? 5 : 3;
  const heartbeatMs = 20;
  const electionMs = 10 * heartbeatMs;
  const faultEveryMs = electionMs + Math.floor(calm.faultEveryMs / 4);
  return {
    ...{ members, heartbeatMs, electionMs, faultEveryMs, leaderClients: 2 },
    ...{ segmentBytes: 8 * 1024, commitDelayMsMax: 200 },
  };
}

const busyEveryMs = 20_000;
const busyMs = 4000;
const idleThinkMs = 60;

/** Mean pause between two operations: clients are busy for a part of the time. */
export function thinkMsAt({ thinkMs }: SimOptions, nowMs: number): number {
  return nowMs % busyEveryMs < busyMs ? thinkMs : Math.max(thinkMs, idleThinkMs);
}
