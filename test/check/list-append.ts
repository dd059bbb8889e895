/**
 * Are transactions that append to lists and read them strictly serializable? As Elle does it: a
 * list that is read whole tells the order of its appends; from that follow dependencies between
 * transactions, and a cycle among them, or against real time, is a violation.
 *
 *   ww  one appended right behind what the other appended
 *   wr  one read the list whose last element the other appended
 *   rw  one read the list to which the other appended next
 *   rt  one was answered before the other was asked
 */

export type Micro =
  | { readonly kind: "append"; readonly key: string; readonly value: number }
  /** null: unknown, as the answer was lost. */
  | { readonly kind: "read"; readonly key: string; readonly list: readonly number[] | null };

export interface AppendTxn {
  readonly id: number;
  readonly call: number;
  /** Infinity with "maybe". */
  readonly returned: number;
  readonly outcome: "done" | "failed" | "maybe";
  readonly micros: readonly Micro[];
}

export interface Anomaly {
  readonly kind:
    | "duplicate"
    | "unexpected"
    | "aborted-read"
    | "intermediate-read"
    | "internal"
    | "incompatible-order"
    | "lost-append"
    | "cycle";
  readonly text: string;
}

type EdgeKind = "ww" | "wr" | "rw" | "rt";

interface Edge {
  readonly to: number;
  readonly kind: EdgeKind;
}

/** Every value is appended to a key once at most. The anomalies; none for a good history. */
export function checkListAppend(txns: readonly AppendTxn[]): Anomaly[] {
  const checker = new ListAppend(txns);
  return checker.check();
}

class ListAppend {
  readonly #txns: readonly AppendTxn[];
  readonly #anomalies: Anomaly[] = [];
  /** Who appended, by key and value. */
  readonly #writers = new Map<string, AppendTxn>();
  /** The longest list read, by key. */
  readonly #orders = new Map<string, readonly number[]>();
  /** Who appended what no list shows, by key. */
  readonly #unseen = new Map<string, AppendTxn[]>();
  readonly #edges = new Map<number, Edge[]>();

  constructor(txns: readonly AppendTxn[]) {
    this.#txns = txns;
  }

  check(): Anomaly[] {
    this.#collectWriters();
    this.#collectOrders();
    for (const txn of this.#txns) if (txn.outcome === "done") this.#checkInternal(txn);
    if (this.#anomalies.length > 0) return this.#anomalies;
    this.#collectUnseen();
    this.#addDependencies();
    this.#addRealTime();
    const cycle = this.#findCycle();
    if (cycle !== null) this.#fail("cycle", cycle);
    return this.#anomalies;
  }

  #fail(kind: Anomaly["kind"], text: string): void {
    this.#anomalies.push({ kind, text });
  }

  #collectWriters(): void {
    for (const txn of this.#txns) {
      for (const micro of txn.micros) {
        if (micro.kind === "append") this.#writers.set(nameOf(micro.key, micro.value), txn);
      }
    }
  }

  #collectOrders(): void {
    for (const txn of this.#txns) {
      const own = new Set<string>();
      for (const micro of txn.micros) {
        if (micro.kind === "append") own.add(nameOf(micro.key, micro.value));
        else if (micro.list !== null && txn.outcome === "done") {
          // Own appends at the end are not yet everybody's.
          const others = micro.list.filter((v) => !own.has(nameOf(micro.key, v)));
          this.#readList(txn, micro.key, micro.list, others);
        }
      }
    }
    for (const txn of this.#txns) if (txn.outcome === "done") this.#checkLost(txn);
  }

  #readList(txn: AppendTxn, key: string, list: readonly number[], others: readonly number[]): void {
    if (new Set(list).size < list.length) {
      this.#fail("duplicate", `${txn.id} read ${key} = ${list.join(",")}`);
    }
    for (const value of others) this.#checkSource(txn, key, value, others);
    const known = this.#orders.get(key) ?? [];
    const [short, long] = known.length < list.length ? [known, list] : [list, known];
    if (short.some((value, i) => value !== long[i])) {
      this.#fail("incompatible-order", `${key}: ${short.join(",")} and ${long.join(",")}`);
    }
    this.#orders.set(key, long);
  }

  #checkSource(txn: AppendTxn, key: string, value: number, list: readonly number[]): void {
    const writer = this.#writers.get(nameOf(key, value));
    if (writer === undefined) {
      this.#fail("unexpected", `${txn.id} read ${value} of ${key}, which nobody appended`);
    } else if (writer.outcome === "failed") {
      this.#fail("aborted-read", `${txn.id} read ${value} of ${key}, appended by ${writer.id}`);
    } else if (writer !== txn && list.at(-1) === value && lastAppend(writer, key) !== value) {
      this.#fail("intermediate-read", `${txn.id} read ${key} within ${writer.id}`);
    }
  }

  /** What was answered before a read began must be in some list if that key was read later. */
  #checkLost(txn: AppendTxn): void {
    for (const micro of txn.micros) {
      if (micro.kind !== "append") continue;
      const order = this.#orders.get(micro.key);
      if (order === undefined || order.includes(micro.value)) continue;
      const later = this.#txns.find(
        (other) =>
          other.outcome === "done" &&
          other.call > txn.returned &&
          other.micros.some((m) => m.kind === "read" && m.key === micro.key),
      );
      if (later === undefined) continue;
      this.#fail("lost-append", `${micro.value} of ${micro.key} by ${txn.id}, not in ${later.id}`);
    }
  }

  /** Within a transaction: reads agree with its own appends and earlier reads. */
  #checkInternal(txn: AppendTxn): void {
    const lists = new Map<string, readonly number[]>();
    const appended = new Map<string, number[]>();
    for (const micro of txn.micros) {
      const { key } = micro;
      const list = lists.get(key);
      const own = appended.get(key) ?? [];
      if (micro.kind === "append") {
        if (list === undefined) appended.set(key, [...own, micro.value]);
        else lists.set(key, [...list, micro.value]);
      } else if (micro.list !== null) {
        const tail = list === undefined ? micro.list.slice(micro.list.length - own.length) : null;
        if (!isEqual(list ?? own, tail ?? micro.list))
          this.#fail("internal", `${txn.id} read ${key} = ${micro.list.join(",")}`);
        lists.set(key, micro.list);
      }
    }
  }

  #addDependencies(): void {
    for (const [key, order] of this.#orders) {
      for (let i = 1; i < order.length; i++) {
        this.#edge(this.#writer(key, order[i - 1]!), this.#writer(key, order[i]!), "ww");
      }
    }
    for (const txn of this.#txns) {
      if (txn.outcome !== "done") continue;
      for (const micro of txn.micros) {
        if (micro.kind === "read" && micro.list !== null) this.#addRead(txn, micro.key, micro.list);
      }
    }
  }

  #addRead(txn: AppendTxn, key: string, list: readonly number[]): void {
    const last = list.at(-1);
    if (last !== undefined) this.#edge(this.#writer(key, last), txn, "wr");
    const order = this.#orders.get(key)!;
    const next = order[list.length];
    if (next !== undefined) this.#edge(txn, this.#writer(key, next), "rw");
    else for (const writer of this.#unseen.get(key) ?? []) this.#edge(txn, writer, "rw");
  }

  /** Appends that were done but are in no list come after every read of it. */
  #collectUnseen(): void {
    const seen = new Set<string>();
    for (const [key, order] of this.#orders) for (const v of order) seen.add(nameOf(key, v));
    for (const [name, writer] of this.#writers) {
      if (writer.outcome !== "done" || seen.has(name)) continue;
      const key = name.slice(0, name.lastIndexOf(" "));
      const writers = this.#unseen.get(key);
      if (writers === undefined) this.#unseen.set(key, [writer]);
      else writers.push(writer);
    }
  }

  #writer(key: string, value: number): AppendTxn {
    return this.#writers.get(nameOf(key, value))!;
  }

  #edge(from: AppendTxn, to: AppendTxn, kind: EdgeKind): void {
    if (from === to) return;
    const edges = this.#edges.get(from.id);
    if (edges === undefined) this.#edges.set(from.id, [{ to: to.id, kind }]);
    else edges.push({ to: to.id, kind });
  }

  /** Edges only from the newest answers: what they follow follows by way of them. */
  #addRealTime(): void {
    const done = this.#txns.filter((txn) => txn.outcome === "done");
    const byReturn = [...done].sort((a, b) => a.returned - b.returned);
    const byCall = [...this.#txns]
      .filter((txn) => txn.outcome !== "failed")
      .sort((a, b) => a.call - b.call);
    let frontier: AppendTxn[] = [];
    let at = 0;
    for (const txn of byCall) {
      for (; at < byReturn.length && byReturn[at]!.returned < txn.call; at++) {
        const answered = byReturn[at]!;
        frontier = frontier.filter((other) => other.returned >= answered.call);
        frontier.push(answered);
      }
      for (const before of frontier) this.#edge(before, txn, "rt");
    }
  }

  /** A shortest cycle within a strongly connected part, as text; null: there is none. */
  #findCycle(): string | null {
    const part = stronglyConnected(this.#edges);
    if (part === null) return null;
    const inside = new Set(part);
    let best: string[] | null = null;
    for (const start of part.slice(0, cycleStartsMax)) {
      const path = this.#shortestCycle(start, inside);
      if (path !== null && (best === null || path.length < best.length)) best = path;
    }
    return best?.join(" ") ?? null;
  }

  #shortestCycle(start: number, inside: ReadonlySet<number>): string[] | null {
    const paths = new Map<number, string[]>([[start, [`T${start}`]]]);
    const queue = [start];
    for (let i = 0; i < queue.length; i++) {
      const from = queue[i]!;
      for (const { to, kind } of this.#edges.get(from) ?? []) {
        const path = [...paths.get(from)!, `-${kind}-> T${to}`];
        if (to === start) return path;
        if (!inside.has(to) || paths.has(to)) continue;
        paths.set(to, path);
        queue.push(to);
      }
    }
    return null;
  }
}

const cycleStartsMax = 50;

/** Some part of at least two that all reach each other; null: the graph has no cycle (Tarjan). */
function stronglyConnected(edges: ReadonlyMap<number, readonly Edge[]>): number[] | null {
  const index = new Map<number, number>();
  const low = new Map<number, number>();
  const stack: number[] = [];
  const onStack = new Set<number>();
  const work: { node: number; at: number }[] = [];
  const open = (node: number): void => {
    index.set(node, index.size);
    low.set(node, index.get(node)!);
    stack.push(node);
    onStack.add(node);
    work.push({ node, at: 0 });
  };
  for (const root of edges.keys()) {
    if (!index.has(root)) open(root);
    while (work.length > 0) {
      const top = work[work.length - 1]!;
      const next = edges.get(top.node)?.[top.at++]?.to;
      if (next !== undefined) {
        if (!index.has(next)) open(next);
        else if (onStack.has(next)) lower(low, top.node, index.get(next)!);
        continue;
      }
      work.pop();
      const parent = work[work.length - 1];
      if (parent !== undefined) lower(low, parent.node, low.get(top.node)!);
      if (low.get(top.node) !== index.get(top.node)) continue;
      const part = stack.splice(stack.indexOf(top.node));
      for (const node of part) onStack.delete(node);
      if (part.length > 1) return part;
    }
  }
  return null;
}

function lower(low: Map<number, number>, node: number, value: number): void {
  low.set(node, Math.min(low.get(node)!, value));
}

function lastAppend(txn: AppendTxn, key: string): number | undefined {
  let last: number | undefined;
  for (const m of txn.micros) if (m.kind === "append" && m.key === key) last = m.value;
  return last;
}

function nameOf(key: string, value: number): string {
  return `${key} ${value}`;
}

function isEqual(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
