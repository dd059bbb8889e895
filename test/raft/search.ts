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

/** One walk of `length` random actions. Throws at the first broken rule, with its path. */
export function walkAtRandom(start: State, length: number, random: Random): void {
  const path: Action[] = [];
  let state = start;
  for (let i = 0; i < length; i++) {
    const actions = actionsOf(state);
    if (actions.length === 0) return;
    const action = actions[random.below(actions.length)]!;
    path.push(action);
    state = stepped(state, action, path);
  }
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
