/**
 * The search of Wing, Gong and Lowe: is there an order of the operations that respects real time
 * and that the model accepts? Depth first, with the states already tried remembered.
 *
 * SE1  An operation may be next if no operation that is not yet in the order returned before its
 *      call. Intervals are closed: at equal times calls come before returns.
 * SE2  An operation without a result has no return: it may be anywhere after its call, or nowhere.
 * SE3  A step that the model calls forced (it changes nothing, or nothing else can stand there) is
 *      never taken back for another one. What changes nothing is taken first.
 */

import type { Operation } from "./history.ts";

/** A sequential object whose last steps can be undone. */
export interface SearchModel {
  /** Takes the step if the object allows it with the response seen. */
  tryStep(operation: Operation): boolean;
  /** Takes back the last step. */
  undo(): void;
  /** Equal states have equal ones; different states have, but for chance, different ones. */
  fingerprint(): string;
  /** In the present state. */
  rank(operation: Operation): Rank;
}

/**
 * 0: changes nothing, so it may stand here if it can stand anywhere later. 1: tried when there is
 * no 0. 2: tried when there is no 1.
 */
export interface Rank {
  readonly pass: 0 | 1 | 2;
  readonly isForced: boolean;
}

export type Verdict =
  | { readonly result: "ok"; readonly order: readonly Operation[] }
  /** The bound was reached. */
  | { readonly result: "unknown"; readonly steps: number }
  | { readonly result: "violation"; readonly counterexample: Counterexample };

export interface Counterexample {
  /** The end of the longest order found. */
  readonly order: readonly Operation[];
  /** Had to come next, and could not. */
  readonly blocked: Operation;
  /** All that were under way there. */
  readonly pending: readonly Operation[];
}

/** A call or a return in the list of what is not yet in the order. */
interface Link {
  readonly operation: Operation;
  readonly isCall: boolean;
  /** Of a call: its return, if it has one. */
  match: Link | null;
  before: Link | null;
  after: Link | null;
}

interface Step {
  readonly link: Link;
  readonly rank: Rank;
}

const lastPass = 2;

/** Links of the list looked at. */
export const stepsMaxDefault = 50_000_000;
const shownMax = 12;

export function search(
  operations: readonly Operation[],
  model: SearchModel,
  stepsMax = stepsMaxDefault,
): Verdict {
  return new Search(operations, model).run(stepsMax);
}

class Search {
  readonly #model: SearchModel;
  readonly #originals: readonly Operation[];
  readonly #head: Link;
  readonly #stack: Step[] = [];
  readonly #seen = new Set<string>();
  readonly #marks: readonly [number, number][];
  /** The set of operations in the order, as the sum of their marks. */
  #doneA = 0;
  #doneB = 0;
  #left: number;
  /** The rank that is being looked for. */
  #pass = 0;
  #longest: Operation[] = [];
  #blocked: Link | null = null;

  constructor(operations: readonly Operation[], model: SearchModel) {
    this.#model = model;
    const numbered = operations.map((operation, number) => ({ ...operation, id: number }));
    this.#left = operations.filter((o) => o.returned !== Infinity).length;
    this.#marks = operations.map((_, i) => [scatter(i * 2 + 1), scatter(i * 2 + 2)]);
    this.#head = link(numbered);
    this.#originals = operations;
  }

  run(stepsMax: number): Verdict {
    let at = this.#head.after;
    for (let steps = 0; this.#left > 0; steps++) {
      if (steps >= stepsMax) return { result: "unknown", steps };
      if (at?.isCall === true && at !== this.#head) {
        if (this.#try(at)) {
          at = this.#head.after;
          this.#pass = 0;
        } else at = this.#next(at);
      } else if (this.#pass < lastPass) {
        this.#pass++;
        at = this.#pass === lastPass ? at!.before : this.#head.after;
      } else {
        // Something must stand before the next return, and nothing can.
        this.#remember();
        const step = this.#back();
        if (step === null) return this.#violation();
        this.#pass = step.rank.pass;
        at = this.#next(step.link);
      }
    }
    return { result: "ok", order: this.#order() };
  }

  /** What has no result most likely happened soon after its call: the last pass looks back. */
  #next(at: Link): Link | null {
    return this.#pass === lastPass ? at.before : at.after;
  }

  #try(at: Link): boolean {
    const { operation } = at;
    const rank = this.#model.rank(operation);
    if (rank.pass !== this.#pass || !this.#model.tryStep(operation)) return false;
    this.#count(operation, 1);
    if (!rank.isForced) {
      const key = `${this.#doneA} ${this.#doneB} ${this.#model.fingerprint()}`;
      if (this.#seen.has(key)) {
        this.#count(operation, -1);
        this.#model.undo();
        return false;
      }
      this.#seen.add(key);
    }
    this.#stack.push({ link: at, rank });
    unlink(at);
    if (at.match !== null) {
      unlink(at.match);
      this.#left--;
    }
    return true;
  }

  /** Takes back steps up to and with one that had alternatives, and tells it. */
  #back(): Step | null {
    for (let step = this.#stack.pop(); step !== undefined; step = this.#stack.pop()) {
      const { link: at, rank } = step;
      if (at.match !== null) {
        relink(at.match);
        this.#left++;
      }
      relink(at);
      this.#model.undo();
      this.#count(at.operation, -1);
      if (!rank.isForced) return step; // SE3
    }
    return null;
  }

  #count({ id }: Operation, sign: number): void {
    const [a, b] = this.#marks[id]!;
    this.#doneA = (this.#doneA + sign * a) | 0;
    this.#doneB = (this.#doneB + sign * b) | 0;
  }

  #order(): Operation[] {
    return this.#stack.map((step) => this.#originals[step.link.operation.id]!);
  }

  #remember(): void {
    if (this.#blocked !== null && this.#stack.length <= this.#longest.length) return;
    this.#longest = this.#order();
    let at = this.#head.after!;
    while (at.isCall) at = at.after!; // there is one: something is left
    this.#blocked = at;
  }

  #violation(): Verdict {
    const blocked = this.#originals[this.#blocked!.operation.id]!;
    const done = new Set(this.#longest);
    const pending = this.#originals.filter(
      (o) => !done.has(o) && o.call <= blocked.returned && o !== blocked,
    );
    const order = this.#longest.slice(-shownMax);
    return {
      result: "violation",
      counterexample: { order, blocked, pending: pending.slice(0, shownMax) },
    };
  }
}

function link(operations: readonly Operation[]): Link {
  const links: { at: number; link: Link }[] = [];
  const create = (operation: Operation, isCall: boolean): Link => ({
    ...{ operation, isCall, match: null, before: null, after: null },
  });
  for (const operation of operations) {
    const call = create(operation, true);
    links.push({ at: operation.call, link: call });
    if (operation.returned === Infinity) continue; // SE2
    call.match = create(operation, false);
    links.push({ at: operation.returned, link: call.match });
  }
  const isReturn = (l: Link): number => (l.isCall ? 0 : 1);
  links.sort(
    (a, b) =>
      Math.sign(a.at - b.at) || // equal for two infinities, too
      isReturn(a.link) - isReturn(b.link) ||
      a.link.operation.id - b.link.operation.id,
  );
  const head = create(operations[0] ?? noOperation, true);
  let before = head;
  for (const { link: next } of links) {
    before.after = next;
    next.before = before;
    before = next;
  }
  return head;
}

function unlink(at: Link): void {
  at.before!.after = at.after;
  if (at.after !== null) at.after.before = at.before;
}

function relink(at: Link): void {
  at.before!.after = at;
  if (at.after !== null) at.after.before = at;
}

/** A number that has nothing to do with its neighbours'. */
export function scatter(n: number): number {
  let x = Math.imul(n ^ 0x5bd1e995, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) | 0;
}

const noOperation: Operation = {
  id: 0,
  process: 0,
  call: 0,
  returned: 0,
  request: { kind: "range", key: "" },
  response: null,
};
