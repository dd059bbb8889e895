/** What goes wrong, when: one fault after the other, drawn from their own source. */

import type { Random } from "../../../src/base/ports.ts";
import type { Scheduler, Life } from "../scheduler.ts";
import { relax, type Network } from "./network.ts";
import type { FaultName, SimOptions } from "./options.ts";
import type { SimProcess } from "./process.ts";
import type { Storms } from "./storms.ts";

export interface FaultParts {
  readonly scheduler: Scheduler;
  readonly world: Life;
  readonly random: Random;
  readonly options: SimOptions;
  readonly network: Network;
  readonly processes: () => readonly SimProcess[];
  readonly mark: (name: string) => void;
  readonly note: (text: string) => void;
  /** Ends the process and starts it again after a while, drawn unless given. */
  readonly crash: (process: SimProcess, downMs?: number) => void;
  /** As crash, and something is wrong with its log afterwards. */
  readonly damage: (process: SimProcess) => void;
}

type Act = (this: Faults) => void;

export class Faults {
  readonly #parts: FaultParts;
  readonly #random: Random;
  readonly #acts: readonly (readonly [FaultName, Act])[];
  readonly #storms: Storms;
  #isOn = false;

  constructor(parts: FaultParts, storms: Storms) {
    this.#parts = parts;
    this.#storms = storms;
    this.#random = parts.random;
    this.#acts = acts.filter(([name]) => parts.options.faults.has(name));
  }

  start(): void {
    this.#isOn = true;
    this.#storms.isOn = true;
    if (this.#acts.length > 0) this.#next();
  }

  /** No new ones; the network heals, disks are quick and sound, and all wake. */
  stop(): void {
    this.#isOn = false;
    this.#storms.isOn = false;
    const { network, processes, scheduler } = this.#parts;
    network.isCalm = true;
    network.healAll();
    for (const process of processes()) {
      process.disk.fault = () => null;
      process.disk.delayMsMax = 2;
      process.drift.setRate(1, scheduler.now);
      const { life } = process;
      if (life !== null && life.wakesAt > scheduler.now) life.wakesAt = scheduler.now;
    }
  }

  #next(): void {
    const { scheduler, world, options, mark, note } = this.#parts;
    scheduler.after(this.#random.below(2 * options.faultEveryMs), world, () => {
      if (!this.#isOn) return;
      const [name, act] = this.#acts[this.#random.below(this.#acts.length)]!;
      mark(`fault: ${name}`);
      note(`fault ${name}`);
      act.call(this);
      this.#next();
    });
  }

  crash(): void {
    this.#parts.crash(this.#one());
  }

  crashAll(): void {
    for (const process of this.#parts.processes()) this.#parts.crash(process);
  }

  pause(): void {
    const process = this.#random.below(2) === 0 ? this.#leader() : this.#one();
    const { life } = process;
    if (life === null) return;
    life.wakesAt =
      this.#parts.scheduler.now + this.#random.below(8 * this.#parts.options.electionMs);
  }

  /** Cuts the members into two sides, or the leader off. */
  partition(): void {
    const processes = this.#parts.processes();
    const lone = this.#random.below(2) === 0 ? this.#leader() : this.#one();
    const isHalves = this.#random.below(2) === 0;
    const side = new Set(isHalves ? processes.filter(() => this.#random.below(2) === 0) : [lone]);
    this.#cut((from, to) => side.has(from) !== side.has(to));
  }

  oneWay(): void {
    const from = this.#leader();
    const isOut = this.#random.below(2) === 0;
    this.#cut((a, b) => (isOut ? a === from : b === from));
  }

  /**
   * What the others answer their leader comes later and later, so that it leads on while they, who
   * hear nothing from it, elect another one; or what it sends does.
   */
  stretch(): void {
    const { network, scheduler, world, options } = this.#parts;
    const { electionMs } = options;
    const leader = this.#leader();
    const others = this.#parts.processes().filter((process) => process !== leader);
    const isIn = this.#random.below(3) > 0;
    const links = others.flatMap((other) => {
      const [there, back] = [network.link(leader.id, other.id), network.link(other.id, leader.id)];
      return isIn ? [back] : [there];
    });
    for (const link of links) link.stretchedSince = scheduler.now;
    if (isIn) {
      scheduler.after(electionMs * (0.5 + this.#random.below(100) / 100), world, () => {
        const forMs = electionMs * (4 + this.#random.below(8));
        if (this.#isOn) this.#cut((from) => from === leader, forMs);
      });
    }
    if (options.faults.has("crash") && this.#random.below(2) === 0) {
      // A third leader does not know how far the first one's log is right.
      scheduler.after(electionMs * (4 + this.#random.below(3)), world, () => {
        if (this.#isOn) this.#parts.crash(this.#leader());
      });
    }
    scheduler.after(electionMs * (2 + this.#random.below(6)), world, () => {
      for (const link of links) relax(link);
    });
  }

  tail(): void {
    this.#storms.tail(this.#leader(), (lone, forMs) =>
      this.#cut((from, to) => (from === lone) !== (to === lone), forMs),
    );
  }

  bitRot(): void {
    this.#parts.damage(this.#one());
  }

  clog(): void {
    const [from, to] = [this.#one(), this.#one()];
    const link = this.#parts.network.link(from.id, to.id);
    link.clogUntil = this.#parts.scheduler.now + this.#random.below(5000);
  }

  diskError(): void {
    const { disk } = this.#one();
    const at = disk.operations + this.#random.below(30);
    const kind = (["EIO", "ENOSPC", "short", "crash"] as const)[this.#random.below(4)]!;
    disk.fault = (operation) => (operation === at ? kind : null);
  }

  diskSlow(): void {
    const { disk } = this.#one();
    disk.delayMsMax = this.#random.below(10) === 0 ? 5000 : 2 + this.#random.below(300);
    this.#parts.scheduler.after(this.#random.below(5000), this.#parts.world, () => {
      disk.delayMsMax = 2;
    });
  }

  clockRate(): void {
    const rate = 0.95 + this.#random.below(101) / 1000;
    this.#one().drift.setRate(rate, this.#parts.scheduler.now);
  }

  wallJump(): void {
    this.#one().drift.wallOffsetMs += (this.#random.below(7200) - 3600) * 1000;
  }

  moveLeader(): void {
    const leader = this.#leader();
    const { core, life } = leader;
    const to = this.#one();
    if (core === null || life === null || to === leader) return;
    this.#parts.scheduler.after(0, life, () => {
      if (core.node.isLeader) core.node.transferLeader(to.id);
    });
  }

  /** The answer mends it before its time. */
  #cut(
    isCut: (from: SimProcess, to: SimProcess) => boolean,
    forMs = this.#random.below(12 * this.#parts.options.electionMs),
  ): () => void {
    const { network, scheduler, world } = this.#parts;
    const processes = this.#parts.processes();
    const cut: [SimProcess, SimProcess][] = [];
    for (const from of processes) {
      for (const to of processes) if (from !== to && isCut(from, to)) cut.push([from, to]);
    }
    for (const [from, to] of cut) network.setCut(from.id, to.id, true);
    let isOver = false;
    const heal = (): void => {
      if (isOver) return;
      isOver = true;
      for (const [from, to] of cut) network.setCut(from.id, to.id, false);
    };
    scheduler.after(forMs, world, heal);
    return heal;
  }

  #one(): SimProcess {
    const processes = this.#parts.processes();
    return processes[this.#random.below(processes.length)]!;
  }

  /** The newest leader if there is one. */
  #leader(): SimProcess {
    let leader: SimProcess | null = null;
    for (const process of this.#parts.processes()) {
      if (process.core?.node.isLeader !== true) continue;
      if (leader === null || process.core.node.term > leader.core!.node.term) leader = process;
    }
    return leader ?? this.#one();
  }
}

const acts: readonly (readonly [FaultName, Act])[] = [
  ["crash", Faults.prototype.crash],
  ["crash-all", Faults.prototype.crashAll],
  ["pause", Faults.prototype.pause],
  ["partition", Faults.prototype.partition],
  ["one-way", Faults.prototype.oneWay],
  ["clog", Faults.prototype.clog],
  ["stretch", Faults.prototype.stretch],
  ["tail", Faults.prototype.tail],
  ["bit-rot", Faults.prototype.bitRot],
  ["disk-error", Faults.prototype.diskError],
  ["disk-slow", Faults.prototype.diskSlow],
  ["clock-rate", Faults.prototype.clockRate],
  ["wall-jump", Faults.prototype.wallJump],
  ["move-leader", Faults.prototype.moveLeader],
];
