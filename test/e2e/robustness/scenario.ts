// One run: a cluster, clients of every kind, one kind of fault again and again, then a healed
// cluster and the checks.
import { setTimeout as delay } from "node:timers/promises";

import { createRandom } from "../../../src/base/random.ts";
import { Recorder } from "../../check/history.ts";
import { Failure } from "../../server/client.ts";
import { Arena, type ArenaOptions } from "./arena.ts";
import { methods } from "./connection.ts";
import { makeSmallDisk, removeSmallDisk } from "./disk-full.ts";
import { faults } from "./faults.ts";
import { checkContent, checkHashes, checkHistory } from "./final-checks.ts";
import { Lists, runLists, runRegisters } from "./kv-clients.ts";
import { look, runLeases, type OpenLease } from "./lease-client.ts";
import { Truth } from "./truth.ts";
import { WatchClient, type WatchSpec } from "./watch-client.ts";
import { Client, count, type Workload } from "./workload.ts";

const registerClients = 5;
const listClients = 2;
const leaseClients = 3;
const thinkMs = 10;
const warmUpMs = 1_000;
const pauseMsMax = 1_500;
/** So often the next fault does not wait until all members are healthy. */
const hastyOneIn = 4;
/** A slow machine gets so much more time to do what a run must have done. */
const strengthMsMax = 15_000;
const compactEveryMs = 400;
const pollMs = 100;
const compactBehind = 30;
const defragmentEveryMs = 2_500;
const defragmentMsMax = 10_000;
const settleMsMax = 20_000;
const leaseEndMsMax = 20_000;
const leaseLateMsMin = 15_000;
/** From a cluster that is whole to the end of a lease whose time is over: elections, overload. */
const leaseSlackMs = 5_000;
/** Below these a run proves nothing: answers per second asked for, and one of each kind. */
const answersPerSecondMin = 10;
const kindsDue = ["append", "grant", "renewal", "lease end", "watch response", "compaction"];

const watchSpecs: readonly WatchSpec[] = [
  { name: "all", start: "\0", end: null },
  { name: "all with previous", start: "\0", end: null, prevKv: true },
  { name: "again and again", start: "\0", end: null, stepBack: 300 },
  { name: "registers", start: "k", end: "l", prevKv: true },
  { name: "deletes", start: "\0", end: null, noPut: true },
  { name: "puts", start: "k", end: "m", noDelete: true },
  { name: "one key", start: "k1", end: undefined },
];

export interface RunOptions {
  readonly fault: string;
  readonly members: number;
  readonly seed: number;
  readonly seconds: number;
  readonly program?: string;
}

export interface RunResult {
  /** Empty: passed. */
  readonly found: readonly string[];
  readonly story: readonly string[];
  readonly summary: string;
  /** Set where this machine cannot make the fault. */
  readonly skipped?: string;
  readonly folders: readonly string[];
  /** Processes ended by SIGKILL. */
  readonly killed: number;
  readonly workload?: Workload;
}

export async function runScenario(options: RunOptions): Promise<RunResult> {
  const needsDisk = options.fault === "disk-full";
  const disk = needsDisk ? makeSmallDisk() : null;
  if (needsDisk && disk === null) {
    const skipped = "a file system of its own may not be mounted here";
    return { found: [], story: [], summary: "", skipped, folders: [], killed: 0 };
  }
  const random = createRandom(options.seed);
  const arenaOptions: ArenaOptions = {
    members: options.members,
    ...(options.program === undefined ? {} : { program: options.program }),
    ...(disk === null ? {} : { parent: disk }),
  };
  const arena = await Arena.start(arenaOptions, random);
  let isGood = false;
  try {
    const run = new Run(arena, options);
    const found = await run.run();
    isGood = found.length === 0;
    const folders = arena.members.map((member) => member.folder);
    const { workload } = run;
    const { story, killed } = arena;
    return { found, story, summary: run.summary(), folders, killed, workload };
  } finally {
    await arena.close(!isGood);
    if (disk !== null && isGood) removeSmallDisk(disk);
  }
}

class Run {
  readonly workload: Workload;
  readonly #arena: Arena;
  readonly #options: RunOptions;
  readonly #clients: Client[] = [];
  readonly #watches: WatchClient[] = [];
  readonly #leases = new Map<string, OpenLease>();
  #loadSeconds = 0;
  #found: string[] = [];

  constructor(arena: Arena, options: RunOptions) {
    this.#arena = arena;
    this.#options = options;
    this.workload = {
      ...{ recorder: new Recorder(), truth: new Truth(), appends: [], counts: new Map() },
      ...{ isStopped: false, compactRevision: 0, answered: 0, unknown: 0 },
      endpoints: arena.cluster.endpoints,
    };
  }

  summary(): string {
    const { answered, unknown, truth, counts } = this.workload;
    const kinds = [...counts].map(([kind, n]) => `${kind} ${n}`).join(", ");
    const rate = (answered / Math.max(1, this.#loadSeconds)).toFixed(0);
    const marks = [...this.#arena.marks].map(([kind, n]) => `${kind} ${n}`).join(", ");
    return (
      `${answered} answered (${rate}/s), ${unknown} unknown, revision ${truth.contiguous}; ` +
      `${kinds}; faults: ${marks}`
    );
  }

  async run(): Promise<string[]> {
    const workers = this.#start();
    const begin = performance.now();
    try {
      await this.#breakThings(begin);
    } catch (error) {
      this.#found.push(`the fault could not be made or repaired: ${String(error)}`);
    }
    await this.#heal();
    const wholeMs = performance.now() - begin;
    const deadline = performance.now() + strengthMsMax;
    while (this.#weaknesses().length > 0 && performance.now() < deadline) await delay(pollMs);
    this.#loadSeconds = (performance.now() - begin) / 1_000;
    this.workload.isStopped = true;
    await Promise.all(workers);
    const finalRevision = await this.#settle();
    this.#found.push(...this.#arena.members.flatMap((member) => member.unexpectedEnds));
    this.#found.push(...this.#weaknesses());
    // Every leader that comes starts the time of short leases anew, as in etcd: L2 counts from when
    // all members were whole again.
    const leaseLateMsMax = Math.max(leaseLateMsMin, wholeMs + leaseSlackMs);
    if (finalRevision > 0) {
      this.#found.push(...(await checkContent(this.#arena, this.workload)));
      this.#found.push(...checkHistory(this.workload, { finalRevision, leaseLateMsMax }));
    }
    for (const client of this.#clients) client.close();
    return this.#found;
  }

  #client(): Client {
    const process = this.#clients.length + 1;
    const client = new Client(this.workload, this.#arena.random.fork(`client ${process}`), process);
    this.#clients.push(client);
    return client;
  }

  #start(): Promise<void>[] {
    const lists = new Lists();
    const workers: Promise<void>[] = [];
    for (const [i, spec] of watchSpecs.entries()) {
      const watch = new WatchClient(this.#client(), spec, i < 3 ? 1 : 0);
      this.#watches.push(watch);
      void watch.run();
    }
    for (let i = 0; i < registerClients; i++) workers.push(runRegisters(this.#client(), thinkMs));
    for (let i = 0; i < listClients; i++) workers.push(runLists(this.#client(), lists, thinkMs));
    for (let i = 0; i < leaseClients; i++) workers.push(runLeases(this.#client(), this.#leases));
    workers.push(this.#compact(this.#client()), this.#defragment(this.#client()));
    return workers;
  }

  async #breakThings(begin: number): Promise<void> {
    const { seconds, fault } = this.#options;
    const inject = faults[fault];
    if (inject === undefined) throw new Error(`no fault ${fault}`);
    const secondsMax = Math.max(1, seconds / 3);
    await delay(warmUpMs);
    do {
      await inject(this.#arena, secondsMax);
      const isHasty = this.#arena.random.below(hastyOneIn) === 0;
      if (!isHasty) await this.#arena.cluster.ready();
      await delay(500 + this.#arena.random.below(pauseMsMax));
    } while (performance.now() - begin < seconds * 1_000);
  }

  /** Ends every fault; then all must serve again (X1). */
  async #heal(): Promise<void> {
    this.#arena.network.heal();
    for (const member of this.#arena.members) member.signal("SIGCONT");
    try {
      this.#arena.startAll();
      await this.#arena.cluster.ready();
      this.#arena.tell("all members are healthy");
    } catch (error) {
      this.#found.push(`X1: ${String(error)}`);
    }
  }

  /** Waits until leases have ended, members agree and watches have seen all; the last revision. */
  async #settle(): Promise<number> {
    const client = this.#client();
    const deadline = performance.now() + leaseEndMsMax;
    for (const { id } of this.#leases.values()) {
      while (!(await look(client, id))) {
        if (performance.now() > deadline) {
          this.#found.push(`L2: lease ${id} does not end`);
          break;
        }
        await delay(pollMs);
      }
    }
    const { revision, found } = await checkHashes(this.#arena);
    this.#found.push(...found);
    try {
      const isSettled = (): boolean => this.#watches.every((watch) => watch.settled >= revision);
      const what = "all watches have seen the last revision";
      await this.#arena.wait(what, () => Promise.resolve(isSettled()), settleMsMax);
    } catch (error) {
      const seen = this.#watches.map((watch, i) => `${watchSpecs[i]?.name}: ${watch.settled}`);
      this.#found.push(`W3: ${String(error)} ${revision}: ${seen.join(", ")}`);
      return 0;
    } finally {
      for (const watch of this.#watches) watch.stop();
    }
    return revision;
  }

  #weaknesses(): string[] {
    const { answered, counts } = this.workload;
    const least = answersPerSecondMin * this.#options.seconds;
    const weak = kindsDue.filter((kind) => !counts.has(kind)).map((kind) => `weak: no ${kind}`);
    if (answered < least) weak.push(`weak: ${answered} answers, wanted ${least}`);
    if (this.#arena.marks.size === 0) weak.push("weak: no fault took effect");
    return weak;
  }

  /** Never beyond what the witnesses have. */
  async #compact(client: Client): Promise<void> {
    const { workload } = this;
    while (!workload.isStopped) {
      await delay(compactEveryMs);
      const revision = workload.truth.contiguous - client.random.below(compactBehind);
      if (revision <= workload.compactRevision || revision < 2) continue;
      workload.compactRevision = revision;
      const endpoint = client.pick();
      const request = { revision: BigInt(revision), physical: client.random.below(4) === 0 };
      const answer = await client
        .connection(endpoint)
        .call(methods.compact, request, client.deadline());
      if (answer instanceof Failure) client.shun(endpoint);
      else count(workload, "compaction");
    }
  }

  async #defragment(client: Client): Promise<void> {
    while (!this.workload.isStopped) {
      await delay(client.random.below(2 * defragmentEveryMs));
      if (this.workload.isStopped) return;
      const connection = client.connection(client.pick());
      const answer = await connection.call(methods.defragment, {}, defragmentMsMax);
      if (!(answer instanceof Failure)) count(this.workload, "defragment");
    }
  }
}
