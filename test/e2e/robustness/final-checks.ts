// What must hold of a run: of the members once all faults are gone, and of everything clients saw.
import { Failure } from "../../server/client.ts";
import type { Operation, Recorder } from "../../check/history.ts";
import { describe } from "../../check/history.ts";
import { checkLeases } from "../../check/lease-rules.ts";
import { checkLinearizable } from "../../check/linearizable.ts";
import { checkListAppend } from "../../check/list-append.ts";
import { checkRevisions } from "../../check/revision-rules.ts";
import type { Verdict } from "../../check/search.ts";
import { checkWatches } from "../../check/watch-history.ts";
import type { Arena } from "./arena.ts";
import { methods } from "./connection.ts";
import { checkAcknowledged, resolve } from "./truth.ts";
import type { Workload } from "./workload.ts";

const hashMsMax = 5_000;
const equalMsMax = 30_000;
const textMax = 1_500;
/** Clocks of processes on one machine run alike; a second is the grain of a TTL. */
const leaseClockRate = 1.02;

interface MemberHash {
  readonly name: string;
  readonly revision: bigint;
  readonly compact: bigint;
  readonly hash: number;
}

async function hashes(arena: Arena): Promise<MemberHash[] | null> {
  const all = await Promise.all(
    arena.members.map(async (member) => {
      const answer = await arena.connection(member).call(methods.hashKv, {}, hashMsMax);
      if (answer instanceof Failure) return null;
      const { hash, compactRevision: compact } = answer;
      return { name: member.name, revision: answer.header?.revision ?? 0n, compact, hash };
    }),
  );
  return all.every((hash) => hash !== null) ? all : null;
}

/** Waits for equal revisions on all members; then hashes must be equal. The revision. */
export async function checkHashes(arena: Arena): Promise<{ revision: number; found: string[] }> {
  let last: MemberHash[] = [];
  const isEqualBy = (of: (hash: MemberHash) => unknown): boolean =>
    last.every((hash) => of(hash) === of(last[0] as MemberHash));
  try {
    await arena.wait(
      "all members are at one revision",
      async () => {
        const all = await hashes(arena);
        if (all !== null) last = all;
        return all !== null && isEqualBy((h) => h.revision) && isEqualBy((h) => h.compact);
      },
      equalMsMax,
    );
  } catch {
    return { revision: 0, found: [`members differ or do not answer: ${shown(last)}`] };
  }
  const found = isEqualBy((h) => h.hash) ? [] : [`HashKV differs: ${shown(last)}`];
  return { revision: Number(last[0]?.revision ?? 0n), found };
}

function shown(hashes: readonly MemberHash[]): string {
  return hashes.map((h) => `${h.name} ${h.hash} @${h.revision} (${h.compact})`).join(", ");
}

/** What all keys are, member by member, is what the witnesses saw them become. */
export async function checkContent(arena: Arena, { truth }: Workload): Promise<string[]> {
  let due = "";
  const found = truth.replay((_, live) => {
    if (_ < truth.contiguous) return;
    const kvs = [...live.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    due = kvs.map((kv) => `${kv.key}=${kv.value}@${kv.mod}`).join("\n");
  });
  const zero = new Uint8Array([0]);
  for (const member of arena.members) {
    const request = { key: zero, rangeEnd: zero, serializable: true };
    const answer = await arena.connection(member).call(methods.range, request, hashMsMax);
    if (answer instanceof Failure) {
      found.push(`${member.name} does not answer: ${answer.message}`);
      continue;
    }
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
    const has = answer.kvs.map((kv) => `${text(kv.key)}=${text(kv.value)}@${kv.modRevision}`);
    if (has.join("\n") !== due) found.push(`${member.name} has other keys than watches told`);
  }
  return found;
}

export interface HistoryBounds {
  /** All members ended at this revision, and all watches that still ran saw it. */
  readonly finalRevision: number;
  /** The longest time without a leader that any fault made, milliseconds. */
  readonly leaseLateMsMax: number;
}

/** Every rule over what clients saw. One text per violation. */
export function checkHistory(workload: Workload, bounds: HistoryBounds): string[] {
  const { recorder, truth, appends, compactRevision } = workload;
  const { finalRevision, leaseLateMsMax } = bounds;
  if (truth.contiguous !== finalRevision) {
    return [`watches told of revisions up to ${truth.contiguous} of ${finalRevision}`];
  }
  const possible = recorder.possible();
  const operations = [...possible, ...expiries(recorder)];
  const watchBounds = { compactRevision, settledRevision: finalRevision };
  return [
    ...truth.conflicts.map((text) => `W: members disagree: ${text}`),
    ...checkAcknowledged(possible, truth),
    ...checkRevisions(possible),
    ...shownVerdict(checkLinearizable(resolve(operations, truth))),
    ...checkListAppend(appends).map(({ kind, text }) => `G2: ${kind}: ${text}`),
    ...checkWatches(recorder.watches, truth.changes(), watchBounds),
    ...checkLeases(recorder.leases, { lateMsMax: leaseLateMsMax, clockRate: leaseClockRate }),
  ].map((text) => text.slice(0, textMax));
}

/**
 * A lease may end by itself at any time, as far as the order of writes goes; not one whose revoke
 * was answered: it was there to be revoked.
 */
function expiries({ operations }: Recorder): Operation[] {
  const revoked = new Set<string>();
  for (const { request, response } of operations) {
    if (request.kind === "revoke" && response !== null) revoked.add(request.lease);
  }
  return operations.flatMap(({ request, call }, i) => {
    if (request.kind !== "grant" || revoked.has(request.lease)) return [];
    const id = operations.length + i;
    const { lease } = request;
    const unknown = { call, returned: Infinity, response: null };
    return [{ id, process: -2, request: { kind: "revoke", lease }, ...unknown }];
  });
}

function shownVerdict(verdict: Verdict): string[] {
  if (verdict.result === "ok") return [];
  if (verdict.result === "unknown") return [`the search gave up after ${verdict.steps} steps`];
  const { blocked, order, pending } = verdict.counterexample;
  const lines = [...order.slice(-4), ...pending.slice(0, 4)].map(describe);
  return [`G2: not linearizable: ${describe(blocked)}\nafter ${lines.join("\n")}`];
}
