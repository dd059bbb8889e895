import type { Random } from "../../src/base/ports.ts";
import { showMessage } from "./transcript-text.ts";
import { actionsOf, after, keyOf, type Action, type State } from "./explore.ts";

export interface SearchResult {
  /** Different states met. */
  states: number;
  /** Actions run. */
  steps: number;
}

/** Which states were met, and with how many actions still to go. Fixed size: full means forgetful. */
class StateTable {
  readonly #keys: Float64Array;
  readonly #depths: Uint8Array;
  readonly #slots: number;
  count = 0;

  constructor(slots: number) {
    this.#slots = slots;
    this.#keys = new Float64Array(slots);
    this.#depths = new Uint8Array(slots);
  }

  /** True: new, or met before with less depth to go, so that its successors are to be explored. */
  enter(key: number, depth: number): boolean {
    let slot = key % this.#slots;
    while (this.#keys[slot] !== 0) {
      if (this.#keys[slot] === key) {
        if (this.#depths[slot]! >= depth) return false;
        this.#depths[slot] = depth;
        return true;
      }
      slot = slot + 1 === this.#slots ? 0 : slot + 1;
    }
    this.count++;
    if (this.count > this.#slots * 0.8) return true;
    this.#keys[slot] = key;
    this.#depths[slot] = depth;
    return true;
  }
}

/** Every state within `depth` actions of `start`. Throws at the first broken rule, with its path. */
export function searchAll(start: State, depth: number, slots: number): SearchResult {
  const table = new StateTable(slots);
  const path: Action[] = [];
  let steps = 0;
  const visit = (state: State, left: number): void => {
    if (!table.enter(keyOf(state), left) || left === 0) return;
    for (const action of actionsOf(state)) {
      path.push(action);
      steps++;
      visit(stepped(state, action, path), left - 1);
      path.pop();
    }
  };
  visit(start, depth);
  return { states: table.count, steps };
}

/** How often a walk chooses each kind of action, if there is one. */
const weights: readonly (readonly [Action["kind"], number])[] = [
  ["deliver", 60],
  ["sync", 25],
  ["propose", 5],
  ["read", 3],
  ["duplicate", 3],
  ["timeout", 3],
  ["crash", 1],
];
const weightOfAll = weights.reduce((sum, [, weight]) => sum + weight, 0);

/**
 * One walk of `length` random actions, in which all messages to a node are lost now and then.
 * Throws at the first broken rule, with its path.
 */
export function walkAtRandom(start: State, length: number, random: Random): void {
  const path: Action[] = [];
  let state = start;
  for (let i = 0; i < length; i++) {
    if (random.below(25) === 0) state = withoutMessagesTo(state, random.below(3) + 1);
    const actions = actionsOf(state);
    const kind = drawKind(random);
    const wanted = actions.filter((action) => action.kind === kind);
    if (wanted.length === 0) continue;
    // Mostly in order.
    const at = random.below(4) > 0 ? 0 : random.below(wanted.length);
    path.push(wanted[at]!);
    state = stepped(state, wanted[at]!, path);
  }
}

function drawKind(random: Random): Action["kind"] {
  let at = random.below(weightOfAll);
  for (const [kind, weight] of weights) {
    at -= weight;
    if (at < 0) return kind;
  }
  return "deliver";
}

function withoutMessagesTo(state: State, id: number): State {
  const network = new Map(state.network);
  for (const [key, message] of network) if (message.to === BigInt(id)) network.delete(key);
  return { ...state, network };
}

function stepped(state: State, action: Action, path: readonly Action[]): State {
  try {
    return after(state, action);
  } catch (error) {
    const told = path.map((step) => {
      if (!("message" in step)) return `${step.kind} ${step.id}`;
      return `${step.kind} ${showMessage(step.message)}`;
    });
    throw new Error(`${(error as Error).message}\nafter:\n${told.join("\n")}`, { cause: error });
  }
}
