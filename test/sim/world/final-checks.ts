/** What must hold at the end of a run, when all members are whole and idle. */

import { checkLeases } from "../../check/lease-rules.ts";
import { describe } from "../../check/history.ts";
import { checkLinearizable } from "../../check/linearizable.ts";
import { checkConfs } from "../../check/membership-rules.ts";
import { checkRevisions } from "../../check/revision-rules.ts";
import { checkWatches } from "../../check/watch-history.ts";
import type { World } from "./world.ts";

export function finalChecks(world: World): void {
  checkHistory(world);
  checkConfigurations(world);
  checkWatchLogs(world);
  checkHashes(world);
}

function checkHistory(world: World): void {
  const operations = world.recorder.possible();
  for (const text of checkRevisions(operations)) world.fail(text);
  const verdict = checkLinearizable(operations);
  if (verdict.result === "unknown") world.mark("check.linearizable-unknown");
  else if (verdict.result === "violation") {
    const { blocked, order, pending } = verdict.counterexample;
    const lines = [
      "G2: not linearizable",
      ...order.map((o) => `  done    ${describe(o)}`),
      `  blocked ${describe(blocked)}`,
      ...pending.map((o) => `  pending ${describe(o)}`),
    ];
    world.fail(lines.join("\n"));
  }
  const { electionMs } = world.options;
  const lateMsMax = leaseLateMsMax + 20 * electionMs + world.options.durationMs;
  for (const text of checkLeases(world.recorder.leases, { lateMsMax, clockRate: clockRateMax })) {
    world.fail(text);
  }
}

/** An end is bounded while a leader is there; while faults last nobody can promise one. */
const leaseLateMsMax = 10_000;
/** 5 % off, and what rounding to ticks adds. */
const clockRateMax = 1.06;

/** The first entries make the members of a new cluster: all at once, or after a restart in turn. */
function checkConfigurations(world: World): void {
  const { members } = world.options;
  const first = world.checks.confs.find(({ index }) => index === members);
  if (first === undefined) return;
  const later = world.checks.confs.filter(({ index }) => index >= members);
  for (const text of checkConfs(later, first.conf)) world.fail(text);
}

function checkWatchLogs(world: World): void {
  const { checks, recorder, processes } = world;
  const compactRevision = Math.max(...processes.map((p) => p.core!.state.store.compactRevision));
  const bounds = { compactRevision, settledRevision: checks.lastRevision };
  for (const text of checkWatches(recorder.watches, checks.changes, bounds)) world.fail(text);
}

/** Equal HashKV on all members at the last revision. */
function checkHashes(world: World): void {
  const hashes = new Map<string, string>();
  for (const process of world.processes) {
    world.scheduler.after(0, process.life!, () => {
      process.core!.state.store.hashKv(0, (outcome) => {
        const text = "hash" in outcome ? textOf(outcome) : outcome.message;
        hashes.set(process.birth.name, text);
      });
    });
  }
  const isDone = (): boolean => hashes.size === world.processes.length;
  world.scheduler.runUntil(isDone, world.scheduler.now + hashMsMax);
  if (!isDone()) world.fail("HashKV: no answer");
  const all = new Set(hashes.values());
  if (all.size > 1) {
    const list = [...hashes].map(([name, text]) => `${name} ${text}`);
    world.fail(`HashKV differs: ${list.join("; ")}`);
  }
  world.note(`hash ${[...all].join(" ")}`);
}

const hashMsMax = 10_000;

function textOf(hash: { hash: number; compactRevision: number; hashRevision: number }): string {
  return `${hash.hash.toString(16)} at ${hash.hashRevision} compacted ${hash.compactRevision}`;
}
