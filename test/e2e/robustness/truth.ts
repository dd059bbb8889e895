// What really happened, revision by revision, put together from what witnesses (watches of all
// keys, on all members) received. Whoever saw a revision must have seen the same.
//
// TR1  A revision's events are those of its first report; one that differs is a conflict.
// TR2  `contiguous`: every revision from 2 up to it is known.
import type { Kv, KvRequest, KvResponse, Operation } from "../../check/history.ts";
import { isWrite } from "../../check/kv-model.ts";
import type { Change } from "../../check/watch-history.ts";

export interface TruthEvent {
  readonly kv: Kv;
  readonly isDelete: boolean;
}

const conflictsMax = 20;

export class Truth {
  readonly conflicts: string[] = [];
  contiguous = 1;
  readonly #revisions = new Map<number, { events: readonly TruthEvent[]; by: string }>();

  /** One watch response: whole revisions. */
  report(by: string, events: readonly TruthEvent[]): void {
    for (const [revision, group] of Map.groupBy(events, (event) => event.kv.mod)) {
      const known = this.#revisions.get(revision);
      if (known === undefined) this.#revisions.set(revision, { events: group, by });
      else if (!isEqual(known.events, group))
        this.#conflict(revision, known, { events: group, by });
    }
    while (this.#revisions.has(this.contiguous + 1)) this.contiguous++; // TR2
  }

  at(revision: number): readonly TruthEvent[] {
    return this.#revisions.get(revision)?.events ?? [];
  }

  changes(): Change[] {
    const changes: Change[] = [];
    for (let revision = 2; revision <= this.contiguous; revision++) {
      for (const { kv, isDelete } of this.at(revision)) changes.push({ revision, kv, isDelete });
    }
    return changes;
  }

  /** Calls `at` with the keys of every revision, in order; the violations of versions. */
  replay(at: (revision: number, live: ReadonlyMap<string, Kv>) => void): string[] {
    const live = new Map<string, Kv>();
    const violations: string[] = [];
    for (let revision = 2; revision <= this.contiguous; revision++) {
      for (const { kv, isDelete } of this.at(revision)) {
        const before = live.get(kv.key);
        if (isDelete) {
          if (before === undefined) violations.push(`${revision} deletes ${kv.key}, not there`);
          live.delete(kv.key);
          continue;
        }
        const [create, version] = [before?.create ?? revision, (before?.version ?? 0) + 1];
        if (kv.create !== create || kv.version !== version) {
          violations.push(`${revision}: ${JSON.stringify(kv)}, due ${create} and ${version}`);
        }
        live.set(kv.key, kv);
      }
      at(revision, live);
    }
    return violations;
  }

  #conflict(
    revision: number,
    a: { events: readonly TruthEvent[]; by: string },
    b: { events: readonly TruthEvent[]; by: string },
  ): void {
    if (this.conflicts.length >= conflictsMax) return;
    const [first, second] = [JSON.stringify(a.events), JSON.stringify(b.events)];
    this.conflicts.push(`revision ${revision}: ${a.by} saw ${first}, ${b.by} ${second}`);
  }
}

function isEqual(a: readonly TruthEvent[], b: readonly TruthEvent[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

interface Effect {
  readonly key: string;
  /** null: deleted. */
  readonly value: string | null;
}

/** Puts that an answered request made, and deletes of single keys; null value: a delete. */
function effectsOf(request: KvRequest, response: KvResponse): Effect[] {
  if (request.kind === "put") return [{ key: request.key, value: request.value }];
  if (request.kind === "delete" && response.kind === "delete" && request.end === undefined) {
    return response.deleted === 0 ? [] : [{ key: request.key, value: null }];
  }
  if (request.kind !== "txn" || response.kind !== "txn") return [];
  const branch = response.succeeded ? request.success : request.failure;
  return branch.flatMap((inner, i) => {
    const answer = response.responses[i];
    return answer === undefined ? [] : effectsOf(inner, answer);
  });
}

/** Every acknowledged write is part of its revision. */
export function checkAcknowledged(operations: readonly Operation[], truth: Truth): string[] {
  return operations.flatMap(({ request, response }) => {
    if (response === null || !isWrite(response)) return [];
    const events = truth.at(response.revision);
    return effectsOf(request, response)
      .filter(
        ({ key, value }) =>
          !events.some(
            (e) => e.kv.key === key && (value === null ? e.isDelete : e.kv.value === value),
          ),
      )
      .map(
        ({ key, value }) =>
          `G1: ${String(value)} of ${key}, acknowledged at ${response.revision}, is not there`,
      );
  });
}

/**
 * Operations for the search: those of unknown result that certainly never happened are left out
 * (their values are unique, and no revision has them); each revision without an answered writer
 * gets a read, so that only what really made it can stand there.
 */
export function resolve(operations: readonly Operation[], truth: Truth): Operation[] {
  const claimed = new Set<number>();
  for (const { response } of operations) {
    if (response !== null && isWrite(response)) claimed.add(response.revision);
  }
  const orphans = new Set<number>();
  const puts = new Set<string>();
  const deletes = new Set<string>();
  for (let revision = 2; revision <= truth.contiguous; revision++) {
    if (claimed.has(revision)) continue;
    orphans.add(revision);
    for (const { kv, isDelete } of truth.at(revision)) {
      if (isDelete) deletes.add(kv.key);
      else puts.add(`${kv.key}\0${kv.value}`);
    }
  }
  const isPossible = (request: KvRequest): boolean => {
    if (request.kind === "put") return puts.has(`${request.key}\0${request.value}`);
    if (request.kind === "txn") return [...request.success, ...request.failure].some(isPossible);
    if (request.kind === "revoke") return [...deletes].some((k) => isOfLease(k, request.lease));
    return request.kind !== "delete" || request.end !== undefined || deletes.has(request.key);
  };
  const kept = operations.filter((o) => o.response !== null || isPossible(o.request));
  return [...kept, ...readsAt(orphans, truth, kept)];
}

/** Keys of a lease are named for it. */
export function leaseKey(lease: string, number: number): string {
  return `l${lease}.${number}`;
}

function isOfLease(key: string, lease: string): boolean {
  return key.startsWith(`l${lease}.`);
}

/**
 * A read of all keys at each of these revisions, over before anyone can have seen a later one: so
 * the search turns back at once where it chose the wrong operation.
 */
function readsAt(
  revisions: ReadonlySet<number>,
  truth: Truth,
  operations: readonly Operation[],
): Operation[] {
  const answered = operations.filter((o) => o.response !== null);
  const later = answered
    .map(({ response, returned }) => ({ revision: response?.revision ?? 0, returned }))
    .sort((a, b) => b.revision - a.revision);
  const end = answered.reduce((max, o) => Math.max(max, o.returned), 0) + 1;
  const reads: Operation[] = [];
  truth.replay((revision, live) => {
    if (!revisions.has(revision)) return;
    let returned = Infinity;
    for (const seen of later) {
      if (seen.revision <= revision) break;
      returned = Math.min(returned, seen.returned);
    }
    const kvs = [...live.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    reads.push({
      ...{ id: operations.length + reads.length, process: -1, call: 0 },
      returned: returned === Infinity ? end : returned,
      request: { kind: "range", key: "", end: "\uffff", isSerializable: true },
      response: { kind: "range", revision, kvs },
    });
  });
  return reads;
}
