/**
 * Are the answers of a history those of one etcd that does one thing after the other (G2, G3)?
 *
 * Where every answer carries its revision all keys are checked together. Otherwise, if no operation
 * joins keys, each key is checked alone: a history is linearizable if its parts are.
 */

import { evidenceOf, isWrite, KvModel } from "./kv-model.ts";
import type { KvRequest, Operation } from "./history.ts";
import { RegisterModel } from "./register-model.ts";
import { search, stepsMaxDefault, type Verdict } from "./search.ts";

export interface CheckOptions {
  /** Steps of the search, per part. */
  readonly stepsMax?: number;
  /** The revision before the first operation; all keys were absent. */
  readonly firstRevision?: number;
}

/** For histories of a single etcd: answers carry revisions. */
export function checkLinearizable(
  operations: readonly Operation[],
  { stepsMax = stepsMaxDefault, firstRevision = 1 }: CheckOptions = {},
): Verdict {
  const all = normalize(operations);
  const evidence = evidenceOf(all, firstRevision);
  const verdict = search(all, new KvModel(evidence, firstRevision), stepsMax);
  if (verdict.result !== "violation") return verdict;
  return shrink(all, verdict, (part) => {
    // Evidence of the whole: a part without a write must not open its revision to others.
    return search(part, new KvModel(evidence, firstRevision), stepsMax);
  });
}

/** For histories without revisions whose operations are on one key each; values only. */
export function checkRegisters(
  operations: readonly Operation[],
  { stepsMax = stepsMaxDefault }: CheckOptions = {},
): Verdict {
  const order: Operation[] = [];
  for (const part of partitionByKey(operations).values()) {
    const verdict = search(part, new RegisterModel(), stepsMax);
    if (verdict.result === "violation") {
      return shrink(part, verdict, (less) => search(less, new RegisterModel(), stepsMax));
    }
    if (verdict.result === "unknown") return verdict;
    order.push(...verdict.order);
  }
  return { result: "ok", order };
}

/** Throws RangeError if an operation is on several keys. */
export function partitionByKey(operations: readonly Operation[]): Map<string, Operation[]> {
  const parts = new Map<string, Operation[]>();
  for (const operation of operations) {
    const keys = new Set(keysOf(operation.request));
    if (keys.size !== 1) throw new RangeError(`Cannot check by key: ${[...keys].join(", ")}`);
    const [key] = [...keys] as [string];
    const part = parts.get(key);
    if (part === undefined) parts.set(key, [operation]);
    else part.push(operation);
  }
  return parts;
}

function keysOf(request: KvRequest): string[] {
  switch (request.kind) {
    case "put":
      return [request.key];
    case "range":
    case "delete":
      return request.end === undefined ? [request.key] : [request.key, request.end];
    case "txn":
      return [
        ...request.compares.map((compare) => compare.key),
        ...[...request.success, ...request.failure].flatMap(keysOf),
      ];
    case "grant":
    case "revoke":
      return [];
  }
}

/** Stale reads may stand anywhere before their end; reads of the past are two reads. */
function normalize(operations: readonly Operation[]): Operation[] {
  return operations.flatMap((operation) => {
    const { request, response } = operation;
    if (response === null) return isReadOnly(request) ? [] : [operation];
    if (request.kind !== "range") return [operation];
    const call = request.isSerializable === true ? -Infinity : operation.call;
    if (request.revision === undefined) return [{ ...operation, call }];
    const past = { ...response, revision: request.revision };
    return [
      { ...operation, call: -Infinity, response: past },
      { ...operation, call, ...revisionOnly(response.revision) },
    ];
  });
}

function revisionOnly(revision: number): Pick<Operation, "request" | "response"> {
  return {
    request: { kind: "txn", compares: [], success: [], failure: [] },
    response: { kind: "txn", revision, succeeded: true, responses: [] },
  };
}

function isReadOnly(request: KvRequest): boolean {
  if (request.kind === "range") return true;
  if (request.kind !== "txn") return false;
  return [...request.success, ...request.failure].every(isReadOnly);
}

type Violation = Verdict & { result: "violation" };

/** Leaves out what the violation does not need: what came later, and reads that say nothing. */
function shrink(
  operations: readonly Operation[],
  violation: Violation,
  check: (part: readonly Operation[]) => Verdict,
): Violation {
  let best = violation;
  const end = violation.counterexample.blocked.returned;
  const early = operations.filter((o) => o.call <= end && isNeededBy(o, end));
  let part: readonly Operation[] = operations;
  const attempt = (smaller: readonly Operation[]): boolean => {
    const verdict = check(smaller);
    if (verdict.result !== "violation") return false;
    best = verdict;
    part = smaller;
    return true;
  };
  attempt(early);
  const reads = part.filter((o) => o.response !== null && !isWrite(o.response));
  for (let size = Math.ceil(reads.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < reads.length; at += size) {
      const out = new Set(reads.slice(at, at + size));
      const smaller = part.filter((o) => !out.has(o));
      if (smaller.length < part.length) attempt(smaller);
      if (reads.length > shrinkReadsMax && size === 1) break;
    }
  }
  return best;
}

const shrinkReadsMax = 500;

/** An answer that came later matters only if it claims a revision. */
function isNeededBy({ returned, response }: Operation, end: number): boolean {
  return returned <= end || response === null || isWrite(response);
}
