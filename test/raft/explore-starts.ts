import type { Message } from "../../src/raft/message.ts";
import type { RaftId } from "../../src/raft/types.ts";
import type { NodeOptions } from "./explore-node.ts";
import { actionsOf, after, initialState, type Action, type Budget, type State } from "./explore.ts";

const generous: Budget = { timeout: 99, crash: 99, propose: 99, read: 99, duplicate: 99 };
const bounded: Budget = { timeout: 3, crash: 1, propose: 1, read: 1, duplicate: 1 };

/**
 * Situations from which a few events more do harm if a rule is missing. Steps, separated by commas:
 * - elect 1 2 3: node 1 becomes leader, with the help of these
 * - win 1 2 3: the same, but nothing else happens than the election
 * - settle 1 2: delivers and syncs all among these; what goes to others is lost
 * - deliver 1>2, stash 1>2: the messages under way from 1 to 2 arrive; or are kept for the end
 * - timeout, sync, crash, propose, read 1: as the actions of that name
 */
const scripts: Record<string, string> = {
  "no leader": "",
  "two candidates, and one vote given":
    "timeout 1, timeout 2, sync 1, sync 2, deliver 1>3, sync 3, stash 3>1, stash 2>3, lose",
  "a leader": "elect 1 2 3",
  "a leader whose last entry nobody else has": "elect 1 2 3, propose 1, settle 1",
  "an entry committed without node 3": "elect 1 2 3, propose 1, settle 1 2",
  "an old leader with an entry of its own, and a new leader":
    "elect 1 2 3, propose 1, settle 1, elect 2 2 3",
  "two leaders in turn, each with an entry of its own":
    "elect 1 1 2, propose 1, settle 1, elect 2 2 3, propose 2, settle 2",
  "figure 8: the third leader's followers have what the first one left":
    "elect 1 2 3, win 2 3, propose 2, sync 2, sync 2, win 3 1, sync 3, crash 2, win 2 1, " +
    "stash 2>3, deliver 2>1, sync 1, deliver 1>2, deliver 2>1, sync 1, stash 1>2, lose, " +
    "crash 3, timeout 3, timeout 3, sync 3, sync 3",
  "entries under way twice": "elect 1 2 3, propose 1, propose 1, stash 1>2, settle 1 3",
  "an append that comes again, behind its successor":
    "elect 1 2 3, propose 1, copy 1>2, settle 1 2, propose 1, settle 1 2",
  "replaced entries whose sync is under way":
    "elect 1 2 3, propose 1, propose 1, lose, win 2 3, stash 2>1, settle 2 3",
  "an answer of an earlier term, for entries that were replaced since":
    "elect 1 2 3, propose 1, propose 1, deliver 1>2, sync 2, sync 2, stash 2>1, lose, crash 1, " +
    "elect 3 1, timeout 3, settle 1 2 3, win 1 2, sync 1, lose",
  "a new leader that does not know what is committed":
    "elect 1 2 3, propose 1, deliver 1>2, sync 2, sync 1, deliver 2>1, lose, win 2 3, lose",
  "answers to an old leader's read, and a new leader that has committed":
    "elect 1 2 3, read 1, deliver 1>2, deliver 1>3, stash 2>1, elect 2 2 3, propose 2, settle 2 3",
};

export const startNames = Object.keys(scripts);

/** The situation of that name. */
export function startState(name: string, options: NodeOptions): State {
  let state = initialState(options, generous);
  const stash = new Map<number, Message>();
  for (const step of scripts[name]!.split(", ").filter((one) => one !== "")) {
    state = play(state, step, stash);
  }
  return { ...state, network: new Map([...state.network, ...stash]), budget: bounded };
}

function play(state: State, step: string, stash: Map<number, Message>): State {
  const [kind = "", ...args] = step.split(" ");
  const first = args[0] ?? "";
  const [from, to] = first.split(">");
  const isBetween = (message: Message): boolean =>
    message.from === BigInt(from!) && message.to === BigInt(to!);
  switch (kind) {
    case "elect":
      return settled(won(state, BigInt(first), args.map(BigInt)), args.map(BigInt));
    case "win":
      return won(state, BigInt(first), args.map(BigInt));
    case "settle":
      return settled(state, args.map(BigInt));
    case "lose":
      return { ...state, network: new Map() };
    case "deliver": {
      let next = state;
      for (const [key, message] of state.network) {
        if (isBetween(message)) next = after(next, { kind: "deliver", message, key });
      }
      return next;
    }
    case "stash":
    case "copy": {
      const network = new Map(state.network);
      for (const [key, message] of state.network) {
        if (!isBetween(message)) continue;
        stash.set(key, message);
        if (kind === "stash") network.delete(key);
      }
      return { ...state, network };
    }
    default:
      return after(state, { kind: kind as "sync", id: BigInt(first) });
  }
}

/** Times out until the node leads; of the others only the helpers hear it. */
function won(start: State, id: RaftId, helpers: readonly RaftId[]): State {
  let state: State = { ...start, network: new Map() };
  const isSticky = start.nodes[0]!.config.options.checkQuorum;
  const isLeader = (one: State): boolean => one.nodes[Number(id) - 1]!.node.role === "leader";
  for (let tries = 0; tries < 9; tries++) {
    if (isLeader(state)) return state;
    for (const helper of helpers) {
      // Who has heard a leader lately does not vote.
      if (helper === id || !isSticky) continue;
      state = { ...after(state, { kind: "timeout", id: helper }), network: new Map() };
    }
    state = settled(after(state, { kind: "timeout", id }), [id, ...helpers], isLeader);
  }
  throw new Error(`node ${id} was not elected`);
}

/**
 * Delivers and syncs everything among `ids`, and loses what goes to others, until all is quiet; or
 * loses nothing, until the situation is there.
 */
function settled(
  start: State,
  ids: readonly RaftId[],
  isThere: (state: State) => boolean = () => false,
): State {
  let state = start;
  const isWanted = (action: Action): boolean =>
    action.kind === "sync"
      ? ids.includes(action.id)
      : action.kind === "deliver" && ids.includes(action.message.to);
  for (let steps = 0; steps < 1000; steps++) {
    if (isThere(state)) return state;
    const next = actionsOf(state).find(isWanted);
    if (next === undefined) return { ...state, network: new Map() };
    state = after(state, next);
  }
  throw new Error("the cluster never comes to rest");
}
