/**
 * etcd's keys as a sequential object for the search. A reply carries the revision, which orders the
 * writes; so the search has to choose only for operations whose result is unknown.
 *
 * KM1  A revision belongs to one writing operation. Where an answered one claims the next revision
 *      no other operation may take it.
 * KM2  An operation of unknown result may only fill a revision that nobody claims and that was
 *      seen; what reads show of that revision must fit.
 */

import type { Compare, Kv, KvRequest, KvResponse, Operation } from "./history.ts";
import { scatter } from "./search.ts";
import type { Rank, SearchModel } from "./search.ts";

/** What to put back: a key, a lease's existence, or a key's lease. */
type Undo =
  | { readonly kind: "kv"; readonly key: string; readonly before: Kv | undefined }
  | { readonly kind: "lease"; readonly id: string; readonly before: Set<string> | undefined };

interface Frame {
  readonly revision: number;
  readonly hashA: number;
  readonly hashB: number;
  readonly undoSize: number;
}

const aRead: Rank = { pass: 0, isForced: true };
const theWrite: Rank = { pass: 1, isForced: true };
const anyOf: Rank = { pass: 2, isForced: false };

/** Thrown where the request itself is impossible: etcd would have refused it. */
class Impossible extends Error {}

export class KvModel implements SearchModel {
  #revision: number;
  readonly #live = new Map<string, Kv>();
  /** Keys of every lease that exists. */
  readonly #leases = new Map<string, Set<string>>();
  readonly #undo: Undo[] = [];
  readonly #frames: Frame[] = [];
  readonly #evidence: Evidence;
  #hashA = 0;
  #hashB = 0;
  /** Within an operation: whether it has changed something. */
  #isWriting = false;

  /** Throws RangeError if two answers claim one revision. */
  constructor(evidence: Evidence, revision = 1) {
    this.#evidence = evidence;
    this.#revision = revision;
  }

  get revision(): number {
    return this.#revision;
  }

  /** The keys of now, in order. */
  kvs(): Kv[] {
    return [...this.#live.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  tryStep({ request, response }: Operation): boolean {
    const claimed = response === null ? undefined : response.revision;
    const { claims, revisionMax } = this.#evidence;
    const next = this.#revision + 1;
    if (claimed !== undefined && claimed !== this.#revision && claimed !== next) return false;
    if (response !== null || request.kind === "grant") return this.#apply(request, response);
    if (claims.has(next) || next > revisionMax) return false; // KM1, KM2
    if (!this.#apply(request, null)) return false;
    if (this.#revision === next && this.#fitsEvidence(next)) return true;
    this.undo(); // where it changed nothing it may as well be nowhere
    return false;
  }

  rank({ request, response }: Operation): Rank {
    if (response === null) return anyOf;
    if (request.kind !== "revoke") return isWrite(response) ? theWrite : aRead;
    return (this.#leases.get(request.lease)?.size ?? 0) > 0 ? theWrite : aRead;
  }

  fingerprint(): string {
    return `${this.#revision} ${this.#hashA} ${this.#hashB}`;
  }

  undo(): void {
    const frame = this.#frames.pop()!;
    while (this.#undo.length > frame.undoSize) {
      const undo = this.#undo.pop()!;
      if (undo.kind === "kv") restore(this.#live, undo.key, undo.before);
      else restore(this.#leases, undo.id, undo.before);
    }
    this.#revision = frame.revision;
    this.#hashA = frame.hashA;
    this.#hashB = frame.hashB;
  }

  #apply(request: KvRequest, response: KvResponse | null): boolean {
    this.#frames.push({
      revision: this.#revision,
      hashA: this.#hashA,
      hashB: this.#hashB,
      undoSize: this.#undo.length,
    });
    this.#isWriting = false;
    try {
      const actual = this.#run(request);
      if (this.#isWriting) this.#revision++;
      if (response === null) return true;
      if (response.revision === this.#revision && isSame(actual, response)) return true;
    } catch (error) {
      if (!(error instanceof Impossible)) throw error;
    }
    this.undo();
    return false;
  }

  #fitsEvidence(revision: number): boolean {
    const { seen, created } = this.#evidence;
    const key = created.get(revision);
    if (key !== undefined && this.#live.get(key)?.create !== revision) return false;
    const kvs = seen.get(revision);
    return kvs === undefined || kvs.every((kv) => isSameKv(this.#live.get(kv.key), kv));
  }

  #run(request: KvRequest): KvResponse {
    switch (request.kind) {
      case "range": {
        return { kind: "range", revision: 0, kvs: this.#range(request.key, request.end) };
      }
      case "put":
        this.#put(request.key, request.value, request.lease ?? "0");
        return { kind: "put", revision: 0 };
      case "delete": {
        const kvs = this.#range(request.key, request.end);
        for (const kv of kvs) this.#set(kv.key, undefined);
        return { kind: "delete", revision: 0, deleted: kvs.length };
      }
      case "txn": {
        const succeeded = request.compares.every((compare) => this.#holds(compare));
        const branch = succeeded ? request.success : request.failure;
        return { kind: "txn", revision: 0, succeeded, responses: branch.map((r) => this.#run(r)) };
      }
      case "grant":
        if (this.#leases.has(request.lease)) throw new Impossible();
        this.#setLease(request.lease, new Set());
        return { kind: "grant", revision: 0 };
      case "revoke": {
        const keys = this.#leases.get(request.lease);
        if (keys === undefined) throw new Impossible();
        for (const key of [...keys]) this.#set(key, undefined);
        this.#setLease(request.lease, undefined);
        return { kind: "revoke", revision: 0 };
      }
    }
  }

  #range(key: string, end: string | undefined): Kv[] {
    if (end === undefined) {
      const kv = this.#live.get(key);
      return kv === undefined ? [] : [kv];
    }
    return this.kvs().filter((kv) => kv.key >= key && kv.key < end);
  }

  #put(key: string, value: string, lease: string): void {
    if (lease !== "0" && !this.#leases.has(lease)) throw new Impossible();
    const before = this.#live.get(key);
    const mod = this.#revision + 1;
    const [create, version] = [before?.create ?? mod, (before?.version ?? 0) + 1];
    this.#set(key, { key, value, create, mod, version, lease });
  }

  #set(key: string, kv: Kv | undefined): void {
    const before = this.#live.get(key);
    this.#undo.push({ kind: "kv", key, before });
    restore(this.#live, key, kv);
    if (before !== undefined) this.#mix(hashOf(before));
    if (kv !== undefined) this.#mix(hashOf(kv));
    if (before !== undefined && before.lease !== "0") this.#attach(before.lease, key, false);
    if (kv !== undefined && kv.lease !== "0") this.#attach(kv.lease, key, true);
    this.#isWriting = true;
  }

  #attach(lease: string, key: string, isAttached: boolean): void {
    const keys = new Set(this.#leases.get(lease));
    if (isAttached) keys.add(key);
    else keys.delete(key);
    this.#undo.push({ kind: "lease", id: lease, before: this.#leases.get(lease) });
    this.#leases.set(lease, keys);
  }

  #setLease(id: string, keys: Set<string> | undefined): void {
    this.#undo.push({ kind: "lease", id, before: this.#leases.get(id) });
    restore(this.#leases, id, keys);
    this.#mix(hashText(`lease ${id}`));
  }

  #mix(hash: number): void {
    this.#hashA ^= hash;
    this.#hashB ^= scatter(hash + 0x1234567);
  }

  #holds({ key, target, result, operand }: Compare): boolean {
    const kv = this.#live.get(key);
    if (kv === undefined && target === "value") return false;
    const actual = kv === undefined ? 0 : kv[target];
    if (result === "=") return actual === operand;
    if (result === "!=") return actual !== operand;
    return result === "<" ? actual < operand : actual > operand;
  }
}

/** What the answers of a history say about revisions. */
export interface Evidence {
  /** Revisions that an answered operation wrote. */
  readonly claims: ReadonlySet<number>;
  /** Keys as some read showed them, by the revision that wrote them. */
  readonly seen: ReadonlyMap<number, readonly Kv[]>;
  /** A key that a revision created. */
  readonly created: ReadonlyMap<number, string>;
  readonly revisionMax: number;
}

/** Whether the answer says that something was changed. A put always does, a delete if it found. */
export function isWrite(response: KvResponse): boolean {
  if (response.kind === "put") return true;
  if (response.kind === "delete") return response.deleted > 0;
  return response.kind === "txn" && response.responses.some(isWrite);
}

/** Collected from answers; `revokes` claim nothing, as they may have had no keys. */
export function evidenceOf(operations: readonly Operation[], first: number): Evidence {
  const claims = new Set<number>();
  const seen = new Map<number, Kv[]>();
  const created = new Map<number, string>();
  let revisionMax = 0;
  const read = (response: KvResponse): void => {
    if (response.kind === "txn") response.responses.forEach(read);
    if (response.kind !== "range") return;
    for (const kv of response.kvs) {
      created.set(kv.create, kv.key);
      const kvs = seen.get(kv.mod);
      if (kvs === undefined) seen.set(kv.mod, [kv]);
      else if (!kvs.some((other) => other.key === kv.key)) kvs.push(kv);
      revisionMax = Math.max(revisionMax, kv.mod);
    }
  };
  for (const { response } of operations) {
    if (response === null) continue;
    read(response);
    revisionMax = Math.max(revisionMax, response.revision);
    if (isWrite(response) && response.revision > first) claims.add(response.revision);
  }
  return { claims, seen, created, revisionMax };
}

function restore<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function isSame(actual: KvResponse, response: KvResponse): boolean {
  if (actual.kind === "range") {
    if (response.kind !== "range" || actual.kvs.length !== response.kvs.length) return false;
    return actual.kvs.every((kv, i) => isSameKv(kv, response.kvs[i]!));
  }
  if (actual.kind === "delete") {
    return response.kind === "delete" && actual.deleted === response.deleted;
  }
  if (actual.kind !== "txn") return actual.kind === response.kind;
  if (response.kind !== "txn" || actual.succeeded !== response.succeeded) return false;
  if (actual.responses.length !== response.responses.length) return false;
  return actual.responses.every((r, i) => isSame(r, response.responses[i]!));
}

function isSameKv(a: Kv | undefined, b: Kv): boolean {
  return (
    a !== undefined &&
    a.key === b.key &&
    a.value === b.value &&
    a.mod === b.mod &&
    a.create === b.create &&
    a.version === b.version &&
    a.lease === b.lease
  );
}

function hashOf(kv: Kv): number {
  return hashText(`${kv.key}\0${kv.value}\0${kv.create} ${kv.mod} ${kv.version} ${kv.lease}`);
}

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return scatter(hash);
}
