/**
 * Faults at the moments that matter to raft: while members vote, and while an old leader that
 * nobody hears has entries that the others do not have.
 */

import { MessageType, type Message } from "../../../src/raft/message.ts";
import type { FaultParts } from "./faults.ts";
import type { SimProcess } from "./process.ts";

/** One in so many votes ends the member that asks for it or gives it. */
const voteCrashEvery = 12;
const tailEntriesMax = 16;
const secondEntriesMax = 8;

export interface StormParts extends FaultParts {
  /** Begins so many requests through the member that change the log and nothing else. */
  readonly append: (target: SimProcess, count: number) => void;
}

export class Storms {
  readonly #parts: StormParts;
  isOn = false;

  constructor(parts: StormParts) {
    this.#parts = parts;
  }

  /** A vote leaves: its sender may be gone before anybody counts it, and soon be back. */
  sent({ type, reject, from }: Message): void {
    const isVote = type === MessageType.vote || (type === MessageType.voteResponse && !reject);
    if (!isVote || !this.isOn) return;
    const { options, random, scheduler, world, processes, mark, crash } = this.#parts;
    if (!options.faults.has("vote-crash") || random.below(voteCrashEvery) > 0) return;
    const afterMs = random.below(3) === 0 ? random.below(options.electionMs) / 4 : 0;
    scheduler.after(afterMs, world, () => {
      const process = processes().find(({ id }) => id === from);
      if (!this.isOn || process?.isRunning !== true) return;
      mark("fault: vote-crash");
      crash(process, random.below(2 * options.heartbeatMs));
    });
  }

  /**
   * The leader is cut off and takes in entries in vain; the next one adds some of its own and is
   * gone soon, too: a third one, which knows of both terms, finds the first one's log in conflict.
   */
  tail(leader: SimProcess, cut: (lone: SimProcess, forMs: number) => () => void): void {
    const { options, random, append, mark } = this.#parts;
    if (leader.core?.node.isLeader !== true) return;
    const { term } = leader.core.node;
    const heal = cut(leader, waitElections * options.electionMs);
    append(leader, 1 + random.below(tailEntriesMax));
    this.#whenLed(term, (second) => {
      mark("storm.second-leader");
      const secondTerm = second.core!.node.term;
      append(second, random.below(secondEntriesMax));
      this.#later(random.below(6) * options.delayMs, () => {
        this.#depose(second, leader);
        if (random.below(2) === 0) heal();
        else this.#whenLed(secondTerm, heal);
      });
    });
  }

  /** It hands over to one that is not cut off, or ends. */
  #depose(leader: SimProcess, lone: SimProcess): void {
    const { random, processes, crash, options } = this.#parts;
    const { core, life } = leader;
    if (core === null || life === null) return;
    const others = processes().filter((process) => process !== leader && process !== lone);
    if (others.length === 0 || random.below(3) === 0) {
      if (options.faults.has("crash")) crash(leader, random.below(4 * options.electionMs));
      return;
    }
    const to = others[random.below(others.length)]!;
    this.#parts.scheduler.after(0, life, () => {
      if (core.node.isLeader) core.node.transferLeader(to.id);
    });
  }

  /** Runs when there is a leader of a later term, if there is one soon enough. */
  #whenLed(term: number, run: (leader: SimProcess) => void): void {
    const { scheduler, processes, options } = this.#parts;
    const until = scheduler.now + waitElections * options.electionMs;
    const look = (): void => {
      const led = processes().find(
        ({ core }) => core?.node.isLeader === true && core.node.term > term,
      );
      if (led !== undefined) run(led);
      else if (scheduler.now < until) this.#later(options.heartbeatMs, look);
    };
    look();
  }

  #later(afterMs: number, run: () => void): void {
    this.#parts.scheduler.after(afterMs, this.#parts.world, () => {
      if (this.isOn) run();
    });
  }
}

const waitElections = 8;
