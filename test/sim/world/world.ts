/**
 * A whole cluster with its clients in one thread, from one seed: the shipped core on simulated
 * clock, disk, network and processes. Phases: warm up, load under faults, a majority heals and must
 * work (X1), all heal, final checks.
 */

import type { Random } from "../../../src/base/ports.ts";
import { createRandom } from "../../../src/base/random.ts";
import { clusterId, memberId } from "../../../src/server/member/member-id.ts";
import type { Member } from "../../../src/server/member/member.ts";
import type { AppendTxn } from "../../check/list-append.ts";
import type { AppliedConf } from "../../check/membership-rules.ts";
import { Recorder } from "../../check/history.ts";
import { Scheduler, type Life } from "../scheduler.ts";
import { AppendClient } from "./append-client.ts";
import { damageLog } from "./bit-rot.ts";
import { Checks } from "./checks.ts";
import { Faults } from "./faults.ts";
import { finalChecks } from "./final-checks.ts";
import { KvClient, type ClientParts } from "./kv-client.ts";
import { LeaderClient } from "./leader-client.ts";
import { LeaseClient } from "./lease-client.ts";
import { Maintenance } from "./maintenance.ts";
import { MemberClient } from "./member-client.ts";
import { Network } from "./network.ts";
import type { SimOptions } from "./options.ts";
import { sha1, SimProcess } from "./process.ts";
import { Storms } from "./storms.ts";
import { Trace } from "./trace.ts";
import { WatchClient } from "./watch-client.ts";

export interface Report {
  readonly options: SimOptions;
  readonly violations: readonly string[];
  readonly hash: string;
  /** How often each marked thing happened. */
  readonly marks: ReadonlyMap<string, number>;
  readonly counts: {
    readonly events: number;
    readonly simulatedMs: number;
    readonly operations: number;
    readonly unknown: number;
    readonly elections: number;
    readonly entries: number;
  };
}

const settleMsMax = 60_000;

export class World {
  readonly options: SimOptions;
  readonly scheduler = new Scheduler();
  readonly trace = new Trace();
  readonly recorder = new Recorder();
  readonly marks = new Map<string, number>();
  readonly checks: Checks;
  readonly network: Network;
  readonly processes: SimProcess[] = [];
  readonly kvClients: KvClient[] = [];
  readonly watchClients: WatchClient[] = [];
  readonly leaseClients: LeaseClient[] = [];
  readonly appendClients: AppendClient[] = [];
  readonly leaderClients: LeaderClient[] = [];
  readonly appends: AppendTxn[] = [];
  /** What runs outside of all processes. */
  readonly life: Life = { isAlive: true, wakesAt: 0, endTurn: () => undefined };
  readonly violations: string[] = [];
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #storms: Storms;
  readonly #maintenance: Maintenance;
  readonly #operator: MemberClient;
  readonly #byLife = new Map<Life, SimProcess>();
  /** Processes that stay down for now. */
  readonly #held = new Set<SimProcess>();

  constructor(options: SimOptions) {
    this.options = options;
    this.#random = createRandom(options.seed).fork("world");
    const { scheduler, trace, life: world } = this;
    const mark = this.mark;
    this.checks = new Checks(mark);
    this.network = new Network({
      ...{ scheduler, options, trace, world, mark, random: this.#random.fork("network") },
      sent: (message) => {
        this.checks.raft.sent(message);
        this.#storms.sent(message);
      },
    });
    const faultParts = {
      ...{ scheduler, world, options, network: this.network, mark, note: this.note },
      processes: () => this.standing,
      crash: (process: SimProcess, downMs?: number) => {
        this.#crash(process, downMs);
      },
      damage: (process: SimProcess) => {
        this.#damage(process);
      },
    };
    this.#storms = new Storms({
      ...faultParts,
      random: this.#random.fork("storms"),
      append: this.#tailEntries(),
    });
    this.#faults = new Faults({ ...faultParts, random: this.#random.fork("faults") }, this.#storms);
    this.#build();
    this.#maintenance = new Maintenance(this.#clientParts("maintenance"));
    this.#operator = new MemberClient({
      ...this.#clientParts("operator"),
      hasProcess: (id) => this.processes.some((process) => process.id === id),
      join: (name, memberId, peerUrl, remotes) => {
        const { clusterId } = this.processes[0]!.birth;
        const birth = { name, clusterId, memberId, peerUrl, firstMembers: [], remotes };
        this.#addProcess(birth).start();
      },
    });
    scheduler.observe = (life) => this.#afterEvent(life);
  }

  /** The processes of members that were not removed. */
  get standing(): readonly SimProcess[] {
    return this.processes.filter((process) => !process.isRemoved);
  }

  readonly mark = (name: string): void => {
    this.marks.set(name, (this.marks.get(name) ?? 0) + 1);
  };

  readonly note = (text: string): void => {
    this.trace.line(this.scheduler.now, text);
  };

  fail(text: string): void {
    this.violations.push(text);
    this.note(`violation: ${text}`);
  }

  run(): Report {
    const release = this.checks.raft.install();
    try {
      this.#phases();
    } catch (error) {
      // A bug that a member or a client ran into: an assertion, or worse.
      this.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    } finally {
      release();
    }
    return this.#report();
  }

  #phases(): void {
    const { scheduler, options } = this;
    for (const process of this.processes) process.start();
    const isUp = (): boolean => this.processes.every((process) => process.methods !== null);
    this.#until("the cluster starts", isUp, settleMsMax);
    for (const client of this.kvClients) client.start();
    for (const client of this.watchClients) client.start();
    for (const client of this.#otherClients()) client.start();
    this.#maintenance.start();
    if (options.faults.has("membership")) this.#operator.start();
    this.#faults.start();
    const end = scheduler.now + options.durationMs;
    scheduler.runUntil(() => this.#isBroken, end);
    if (this.#isBroken) return;
    this.note("heal");
    this.#faults.stop();
    this.#maintenance.stop();
    this.#operator.stop();
    for (const process of this.standing) {
      if (!process.isDamaged) continue;
      process.isRemoved = true; // it did not come to read its log again
      this.#end(process);
    }
    if (options.faults.has("membership")) this.#settleMembers();
    if (!this.#isBroken) this.#liveness();
    if (this.#isBroken) return;
    this.#settle();
    if (!this.#isBroken) finalChecks(this);
  }

  get #isBroken(): boolean {
    return this.violations.length + this.checks.violations.length > 0;
  }

  /** A change under way would leave open who the majority is. */
  #settleMembers(): void {
    for (const process of this.standing) if (!process.isRunning) process.start();
    this.scheduler.runUntil(() => this.#isBroken, this.scheduler.now + operatorMs);
    const last = this.#lastConf();
    const isKnown = (): boolean =>
      this.#members().every(({ core }) => (core?.node.appliedIndex ?? 0) >= last.index);
    if (!this.#isBroken) this.#until("members agree", isKnown, settleMsMax);
    const { conf } = this.#lastConf();
    for (const process of this.standing) {
      if ([...conf.voters, ...conf.learners].includes(process.id)) continue;
      process.isRemoved = true; // it was removed and has not heard of it
      if (process.isRunning) this.#end(process);
    }
  }

  #lastConf(): AppliedConf {
    return this.checks.confs.reduce((a, b) => (b.index > a.index ? b : a));
  }

  #isSame(): boolean {
    const indexes = this.#members().flatMap(({ core }) => [
      core?.node.appliedIndex ?? -1,
      core?.node.commitIndex ?? -2,
    ]);
    return indexes.every((index) => index === indexes[0]);
  }

  /** Those that the newest applied configuration names. */
  #members(): readonly SimProcess[] {
    const { conf } = this.#lastConf();
    const ids = new Set([...conf.voters, ...conf.learners]);
    return this.standing.filter((process) => ids.has(process.id));
  }

  /** X1: a majority alone, whole and connected, serves within ten election timeouts. */
  #liveness(): void {
    const { scheduler, options } = this;
    const { conf } = this.#lastConf();
    const voters = this.standing.filter((process) => conf.voters.includes(process.id));
    const majority = Math.floor(conf.voters.length / 2) + 1;
    const order = shuffled(voters, this.#random.fork("majority"));
    for (const process of order.slice(majority)) {
      this.#held.add(process);
      if (process.isRunning) this.#end(process);
    }
    const isUp = (): boolean => order.slice(0, majority).every((p) => p.core !== null);
    this.#until("a majority starts", isUp, settleMsMax);
    const target = order[0]!;
    const probe = new KvClient(this.#clientParts("probe"), 900);
    const since = scheduler.now;
    let isServed = false;
    const attempt = (): void => {
      probe.run(
        { kind: "put", key: "probe", value: String(scheduler.now) },
        (response) => {
          if (response !== null) isServed = true;
          else scheduler.after(20, this.life, attempt);
        },
        target,
      );
    };
    attempt();
    // Beside the elections there is what starting and the requests themselves take.
    const bound = 10 * options.electionMs + livenessExtraMs;
    this.#until("X1: a majority serves", () => isServed, bound);
    this.note(`served after ${(scheduler.now - since).toFixed(0)} ms`);
  }

  /** All come back; clients end; everybody has everything. */
  #settle(): void {
    this.#held.clear();
    for (const process of this.standing) if (!process.isRunning) process.start();
    this.scheduler.runUntil(() => false, this.scheduler.now + 2000);
    for (const client of [...this.kvClients, ...this.#otherClients()]) client.isStopped = true;
    this.scheduler.runUntil(() => false, this.scheduler.now + 8000); // requests under way end
    this.#until("all members have the same", () => this.#isSame(), settleMsMax);
    this.scheduler.runUntil(() => false, this.scheduler.now + 3000); // watches hear the rest
    this.#until("all members have the same", () => this.#isSame(), settleMsMax);
  }

  #until(what: string, isDone: () => boolean, withinMs: number): void {
    const until = this.scheduler.now + withinMs;
    this.scheduler.runUntil(() => this.#isBroken || isDone(), until);
    if (this.#isBroken || isDone()) return;
    const states = this.processes.map((p) => `${p.birth.name} ${stateOf(p)}`);
    this.fail(`${what}: not within ${withinMs} ms: ${states.join("; ")}`);
  }

  #otherClients(): readonly (LeaseClient | AppendClient | LeaderClient)[] {
    return [...this.leaseClients, ...this.appendClients, ...this.leaderClients];
  }

  #build(): void {
    const { options } = this;
    const names = Array.from({ length: options.members }, (_, i) => `m${i + 1}`);
    const clusterToken = `seed ${options.seed}`;
    const members = names.map((name, i): Member => {
      const peerUrls = [`http://10.0.0.${i + 1}:2380`];
      const id = memberId({ peerUrls, clusterToken }, sha1);
      return { id, name, peerUrls, isLearner: false, clientUrls: [] };
    });
    members.sort((a, b) => (a.id < b.id ? -1 : 1));
    const cluster = clusterId(
      members.map((member) => member.id),
      sha1,
    );
    for (const { id, name, peerUrls } of members) {
      const birth = { name, clusterId: cluster, memberId: id, peerUrl: peerUrls[0]! };
      this.#addProcess({ ...birth, firstMembers: members, remotes: [] });
    }
    for (let i = 0; i < options.clients; i++) {
      this.kvClients.push(new KvClient(this.#clientParts(`client ${i}`), i));
    }
    for (let i = 0; i < options.watchers; i++) {
      this.watchClients.push(new WatchClient(this.#clientParts(`watcher ${i}`), `w${i}`));
    }
    for (let i = 0; i < options.appendClients; i++) {
      const parts = this.#clientParts(`append ${i}`);
      this.appendClients.push(new AppendClient(parts, 50 + i, this.appends));
    }
    for (let i = 0; i < options.leaderClients; i++) {
      this.leaderClients.push(new LeaderClient(this.#clientParts(`leader client ${i}`), 70 + i));
    }
    for (let i = 0; i < options.leaseClients; i++) {
      this.leaseClients.push(new LeaseClient(this.#clientParts(`lease ${i}`), 100 + 2 * i));
    }
  }

  #addProcess(birth: SimProcess["birth"]): SimProcess {
    const { scheduler, options, network, note, mark } = this;
    const process = new SimProcess(birth, {
      ...{ scheduler, options, network, note, mark },
      random: this.#random.fork(`process ${birth.name}`),
      opened: (opened, core) => {
        if (opened.isDamaged) this.fail(`CK10: ${birth.name} serves from a damaged log`);
        this.checks.opened(opened, core);
      },
    });
    this.processes.push(process);
    return process;
  }

  #clientParts(label: string): ClientParts {
    const { scheduler, life: world, options, recorder, mark, note } = this;
    return {
      ...{ scheduler, world, options, recorder, mark, note },
      random: this.#random.fork(label),
      members: () => this.standing,
      lostReplyPerMille: () => (this.network.isCalm ? 0 : options.lostReplyPerMille),
    };
  }

  #afterEvent(life: Life): void {
    if (life === this.life) return;
    const process = this.#processOf(life);
    if (process?.life !== life) return;
    if (!life.isAlive) {
      this.note(`${process.birth.name} ended: ${process.lastWords}`);
      this.mark(`end: ${process.lastWords.replace(/[^a-zA-Z :]+/g, "#").slice(0, 60)}`);
      if (process.isRefusing) this.#refused(process);
      else this.#crash(process);
      return;
    }
    this.checks.afterEvent(process);
  }

  /** CK10: it stays out if its log is damaged; the others must do without. */
  #refused(process: SimProcess): void {
    const { birth, isDamaged, lastWords } = process;
    if (!isDamaged) this.fail(`CK10: ${birth.name} refuses its own log: ${lastWords}`);
    this.mark("disk.damage-refused");
    process.isRemoved = true;
    this.#end(process);
  }

  /** Once at most, so that a majority is left, whose members nobody changes. */
  #damage(process: SimProcess): void {
    const { members, faults } = this.options;
    const isOnly = members < 3 || faults.has("membership");
    if (isOnly || this.processes.some(({ isDamaged }) => isDamaged)) return;
    this.#crash(process);
    const what = damageLog(process.disk, this.#random.fork("damage"));
    process.isDamaged = what !== null;
    if (what === null) return;
    this.mark(`damage: ${what}`);
    this.note(`${process.birth.name}: ${what}`);
  }

  #processOf(life: Life): SimProcess | undefined {
    let process = this.#byLife.get(life);
    if (process === undefined) {
      process = this.processes.find((p) => p.life === life);
      if (process !== undefined) this.#byLife.set(life, process);
    }
    return process;
  }

  /** Deletions of what is not there: entries in the log that no history has to know of. */
  #tailEntries(): (target: SimProcess, count: number) => void {
    const client = new KvClient({ ...this.#clientParts("tail"), recorder: new Recorder() }, 800);
    return (target, count) => {
      for (let i = 0; i < count; i++) {
        client.run({ kind: "delete", key: "~" }, () => undefined, target, tailMsMax);
      }
    };
  }

  /** Ends the process, and starts it again after a while. */
  #crash(process: SimProcess, givenMs?: number): void {
    this.#end(process);
    const random = this.#random.fork(`restart ${process.birth.name} ${process.starts}`);
    const isQuick = this.options.isStormy && random.below(4) > 0;
    const downMs = isQuick ? quickMs : random.below(5) === 0 ? 20_000 : 4000;
    this.scheduler.after(givenMs ?? random.below(downMs), this.life, () => {
      const isWanted = !this.#held.has(process) && !process.isRemoved;
      if (!process.isRunning && isWanted) process.start();
    });
  }

  #end(process: SimProcess): void {
    this.note(`${process.birth.name} crashes`);
    if (process.life !== null) this.#byLife.delete(process.life);
    process.crash();
  }

  #report(): Report {
    const operations = this.recorder.operations.length;
    const unknown = this.recorder.possible().filter((o) => o.response === null).length;
    return {
      options: this.options,
      violations: [...this.checks.violations, ...this.violations],
      hash: this.trace.hash,
      marks: this.marks,
      counts: {
        ...{ operations, unknown, elections: this.checks.elections },
        events: this.scheduler.count,
        simulatedMs: this.scheduler.now,
        entries: this.checks.lastIndex,
      },
    };
  }
}

const livenessExtraMs = 5000;
/** In a storm most are back within this. */
const quickMs = 300;
const tailMsMax = 500;
/** Longer than an operator waits for an answer. */
const operatorMs = 12_000;

function stateOf({ core, lastWords }: SimProcess): string {
  if (core === null) return `down (${lastWords})`;
  const { node } = core;
  const role = node.isLeader ? "leader" : `follows ${node.leader.toString(16)}`;
  return `${role} term ${node.term} commit ${node.commitIndex} applied ${node.appliedIndex}`;
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const all = [...list];
  for (let i = all.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}
