import type { Message } from "../../src/raft/message.ts";
import type { Entry, RaftId } from "../../src/raft/types.ts";
import { ExploredNode, type NodeInput, type NodeOptions } from "./explore-node.ts";
import { hashOf } from "./fingerprint.ts";

// What holds in every state:
// X1  One leader per term.
// X2  Log matching: two logs with the same term at an index are equal up to there.
// X3  Leader completeness: a new leader's log holds every committed entry.
// X4  A committed entry is synced on a majority, and stays so.
// X5  Nodes commit and apply the same entries in the same order.
// X6  A leader's term and own vote are synced; so is what an answer claims when it leaves.
// X7  A read sees everything committed before it was asked for (checked by the node).

/** How many of each event one path may hold. */
export interface Budget {
  readonly timeout: number;
  readonly crash: number;
  readonly propose: number;
  readonly read: number;
  /** Deliveries that leave the message under way. */
  readonly duplicate: number;
}

export type Action =
  | { readonly kind: "deliver" | "duplicate"; readonly message: Message; readonly key: number }
  | { readonly kind: "timeout" | "sync" | "crash" | "propose" | "read"; readonly id: RaftId };

/** A cluster with its network, and what history must agree with. Never changes once made. */
export interface State {
  readonly nodes: readonly ExploredNode[];
  readonly prints: readonly number[];
  /** Messages under way by their hash. One that is never delivered is one that was lost. */
  readonly network: ReadonlyMap<number, Message>;
  readonly budget: Budget;
  readonly leaders: ReadonlyMap<number, RaftId>;
  readonly committed: readonly Entry[];
  readonly contexts: number;
}

export class Violation extends Error {
  override readonly name = "Violation";
}

export function initialState(options: NodeOptions, budget: Budget): State {
  const nodes = options.voters.map((id) => new ExploredNode(id, options, []));
  return {
    nodes,
    prints: nodes.map((node) => node.fingerprint()),
    network: new Map(),
    budget,
    leaders: new Map(),
    committed: [],
    contexts: 0,
  };
}

/** Everything that can happen next. */
export function actionsOf(state: State): Action[] {
  const { budget } = state;
  const actions: Action[] = [];
  for (const [key, message] of state.network) {
    actions.push({ kind: "deliver", message, key });
    if (budget.duplicate > 0) actions.push({ kind: "duplicate", message, key });
  }
  for (const { id, node, unsynced } of state.nodes) {
    const isLeader = node.role === "leader";
    if (unsynced.length > 0) actions.push({ kind: "sync", id });
    if (budget.timeout > 0) actions.push({ kind: "timeout", id });
    if (budget.crash > 0) actions.push({ kind: "crash", id });
    if (budget.propose > 0 && isLeader) actions.push({ kind: "propose", id });
    if (budget.read > 0 && isLeader) actions.push({ kind: "read", id });
  }
  return actions;
}

/** The state after the action. Throws {@link Violation} if it breaks a rule. */
export function after(state: State, action: Action): State {
  const network = new Map(state.network);
  const id = "message" in action ? action.message.to : action.id;
  if (action.kind === "deliver") network.delete(action.key);
  const at = state.nodes.findIndex((node) => node.id === id);
  const old = state.nodes[at]!;
  const node = new ExploredNode(id, old.config.options, [...old.inputs, inputOf(state, action)]);
  const sent = node.runLast();
  for (const one of sent) {
    checkAnswer(node, one);
    network.set(hashOf(one), one);
  }
  const nodes = state.nodes.with(at, node);
  const committed = checkedCommitted(nodes, node, state.committed);
  return {
    nodes,
    prints: state.prints.with(at, node.fingerprint()),
    network,
    budget: spent(state.budget, action),
    leaders: checkedLeaders(node, state.leaders, committed),
    committed,
    contexts: state.contexts + (action.kind === "read" ? 1 : 0),
  };
}

/** A number that equal states share. */
export function keyOf(state: State): number {
  const { network, budget, leaders, committed, prints, contexts } = state;
  const keys = Float64Array.from(network.keys()).sort();
  return hashOf([prints, budget, leaders, committed, contexts, keys]);
}

function inputOf(state: State, action: Action): NodeInput {
  if ("message" in action) return { kind: "deliver", message: action.message };
  if (action.kind === "propose") return { kind: "propose", name: `p${state.budget.propose}` };
  if (action.kind === "read") {
    return { kind: "read", context: state.contexts + 1, floor: state.committed.length };
  }
  return { kind: action.kind };
}

function spent(budget: Budget, action: Action): Budget {
  if (action.kind === "sync" || action.kind === "deliver") return budget;
  return { ...budget, [action.kind]: budget[action.kind] - 1 };
}

function isSame(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined || a.term !== b.term) return false;
  return a === b || a.data.join() === b.data.join();
}

/** X3, X1, X6. */
function checkedLeaders(
  node: ExploredNode,
  leaders: ReadonlyMap<number, RaftId>,
  committed: readonly Entry[],
): ReadonlyMap<number, RaftId> {
  if (node.node.role !== "leader") return leaders;
  const { term } = node.node;
  const known = leaders.get(term);
  if (known === node.id) return leaders;
  if (known !== undefined) throw new Violation(`X1: ${known} and ${node.id} lead term ${term}`);
  committed.forEach((entry, i) => {
    if (!isSame(entry, node.log[i])) throw new Violation(`X3: leader lacks entry ${i + 1}`);
  });
  const { hardState } = node;
  if (hardState.term !== term || hardState.vote !== node.id) {
    throw new Violation(`X6: ${node.id} leads term ${term} before its vote is synced`);
  }
  return new Map(leaders).set(term, node.id);
}

/** X2, X4, X5. Returns all entries known to be committed. */
function checkedCommitted(
  nodes: readonly ExploredNode[],
  node: ExploredNode,
  before: readonly Entry[],
): readonly Entry[] {
  for (const other of nodes) checkMatching(node, other);
  const { commit } = node.node;
  if (commit > node.log.length) throw new Violation(`X5: commit ${commit} beyond the log`);
  for (let i = 0; i < Math.min(commit, before.length); i++) {
    if (!isSame(before[i], node.log[i])) throw new Violation(`X5: entry ${i + 1} differs`);
  }
  const committed = commit > before.length ? node.log.slice(0, commit) : before;
  node.applied.forEach((entry, i) => {
    if (entry.index !== i + 1) throw new Violation(`X5: applied ${entry.index} as ${i + 1}`);
    if (!isSame(entry, committed[i])) throw new Violation(`X5: applied another entry ${i + 1}`);
    if (!isSame(entry, node.synced[i])) throw new Violation(`X5: applied ${i + 1} not synced`);
  });
  committed.forEach((entry, i) => {
    const copies = nodes.filter((other) => isSame(entry, other.synced[i])).length;
    if (copies * 2 <= nodes.length) throw new Violation(`X4: entry ${i + 1} on ${copies} disks`);
  });
  return committed;
}

function checkMatching(one: ExploredNode, other: ExploredNode): void {
  let isAgreed = false;
  for (let i = Math.min(one.log.length, other.log.length) - 1; i >= 0; i--) {
    const isEqual = isSame(one.log[i], other.log[i]);
    if (isAgreed && !isEqual) throw new Violation(`X2: logs differ at ${i + 1}, not behind it`);
    isAgreed ||= one.log[i]!.term === other.log[i]!.term;
    if (isAgreed && !isEqual) throw new Violation(`X2: two entries ${i + 1} of one term`);
  }
}

const appendAnswer = 4;
const voteAnswer = 6;

/** X6: an answer tells of synced things only. */
function checkAnswer(node: ExploredNode, message: Message): void {
  if (message.reject) return;
  if (message.type === appendAnswer && message.index > node.synced.length) {
    throw new Violation(`X6: ${node.id} acknowledges ${message.index} before it is synced`);
  }
  const { term, vote } = node.hardState;
  if (
    message.type === voteAnswer &&
    (term < message.term || (term === message.term && vote !== message.to))
  ) {
    throw new Violation(`X6: ${node.id} answers a vote that is not synced`);
  }
}
