// Whole clusters of real processes on loopback, of Quorate, Go etcd or both.
//
// CL1  Only processes started here are signalled, by their own handle.
// CL2  A member keeps ports, name and data directory over stops and starts.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { freePort, isHealthy, quorateProgram } from "../conformance/servers.ts";

const readyTimeoutMs = 60_000;
const stopTimeoutMs = 20_000;
const pollMs = 20;

export interface MemberSpec {
  readonly name: string;
  /** Path of an etcd-compatible server; Quorate's own when absent. */
  readonly program?: string;
  readonly flags?: readonly string[];
  /** Free ones when absent. */
  readonly ports?: { readonly client: number; readonly peer: number };
  /** Peers reach the member here, for instance through a proxy; its own listen port when absent. */
  readonly advertisedPeerPort?: (peerPort: number) => number;
  /** The member's folder is made in this one; that of temporary files when absent. */
  readonly parent?: string;
}

export interface ClusterOptions {
  readonly members: readonly MemberSpec[];
  /** For every member. */
  readonly flags?: readonly string[];
  readonly token?: string;
}

/** One member: a process that comes and goes, and what stays. */
export class ClusterMember {
  readonly name: string;
  /** Between an end and a start another program may be put in its place. */
  program: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly peerUrl: string;
  readonly folder: string;
  readonly #flags: readonly string[];
  #bootstrap: readonly string[];
  #child: ChildProcess | null = null;
  #isEndExpected = false;
  /** Ends that nobody here asked for, one text each. */
  readonly unexpectedEnds: string[] = [];

  constructor(spec: MemberSpec, ports: { client: number; peer: number }, flags: readonly string[]) {
    this.name = spec.name;
    this.program = spec.program ?? quorateProgram;
    this.clientPort = ports.client;
    this.peerPort = ports.peer;
    const advertised = spec.advertisedPeerPort?.(ports.peer) ?? ports.peer;
    this.peerUrl = `http://127.0.0.1:${String(advertised)}`;
    this.folder = mkdtempSync(join(spec.parent ?? tmpdir(), `quorate-${spec.name}-`));
    this.#flags = [...flags, ...(spec.flags ?? [])];
    this.#bootstrap = [];
  }

  /** host:port for clients. */
  get endpoint(): string {
    return `127.0.0.1:${String(this.clientPort)}`;
  }
  get dataDir(): string {
    return join(this.folder, "data");
  }
  get isRunning(): boolean {
    const child = this.#child;
    return child !== null && child.exitCode === null && child.signalCode === null;
  }
  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  log(): string {
    return readFileSync(join(this.folder, "log"), "utf8");
  }

  /** The flags of its first start: cluster, state and token. */
  setBootstrap(initialCluster: string, state: "new" | "existing", token: string): void {
    this.#bootstrap = [
      ...["--initial-cluster", initialCluster, "--initial-cluster-state", state],
      ...["--initial-cluster-token", token],
    ];
  }

  /** Starts the process; ready() tells when it serves. */
  spawn(more: readonly string[] = []): void {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    const log = openSync(join(this.folder, "log"), "a");
    const client = `http://${this.endpoint}`;
    const args = [
      ...["--name", this.name, "--data-dir", this.dataDir],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", `http://127.0.0.1:${String(this.peerPort)}`],
      ...["--initial-advertise-peer-urls", this.peerUrl],
      ...this.#bootstrap,
      ...this.#flags,
      ...more,
    ];
    const child = spawn(this.program, args, { stdio: ["ignore", log, log] });
    closeSync(log);
    child.on("error", () => undefined); // shows as an end in ready()
    child.on("exit", (code, signal) => {
      if (this.#isEndExpected) return;
      this.unexpectedEnds.push(`${this.name} ended by itself: ${String(code ?? signal)}`);
    });
    this.#child = child;
    this.#isEndExpected = false;
  }

  /** From now until the next start the process may end by itself. */
  allowEnd(): void {
    this.#isEndExpected = true;
  }

  /** Resolves when /health says so; rejects if the process ends before. */
  async ready(timeoutMs = readyTimeoutMs): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await isHealthy(this.endpoint))) {
      if (!this.isRunning) throw new Error(`${this.name} ended:\n${this.log().slice(-4_000)}`);
      if (performance.now() > deadline) {
        throw new Error(`${this.name} is not ready in time:\n${this.log().slice(-4_000)}`);
      }
      await delay(pollMs); // between two looks at another process
    }
  }

  async start(more: readonly string[] = []): Promise<void> {
    this.spawn(more);
    await this.ready();
  }

  /** Sends a signal without waiting: SIGSTOP, SIGCONT, SIGKILL. */
  signal(signal: NodeJS.Signals): void {
    if (signal !== "SIGSTOP" && signal !== "SIGCONT") this.#isEndExpected = true;
    this.#child?.kill(signal);
  }

  /** Ends the process and waits for its end; its exit code, or null after a signal. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const child = this.#child;
    if (child === null || !this.isRunning) return child?.exitCode ?? null;
    const ended = once(child, "exit");
    this.#isEndExpected = true;
    child.kill(signal);
    const hard = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await ended;
    clearTimeout(hard);
    return child.exitCode;
  }

  /** Resolves when the process has ended by itself or by a signal. */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (child !== null && this.isRunning) await once(child, "exit");
    return child?.exitCode ?? null;
  }

  wipe(): void {
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** `keep`: leaves data and log behind for a look. */
  async close(keep = false): Promise<void> {
    await this.end("SIGKILL");
    if (!keep) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Members that know of each other. Not started until start(). */
export class TestCluster {
  readonly members: ClusterMember[] = [];
  readonly #options: ClusterOptions;

  private constructor(options: ClusterOptions) {
    this.#options = options;
  }

  static async create(options: ClusterOptions): Promise<TestCluster> {
    const cluster = new TestCluster(options);
    for (const spec of options.members) await cluster.#make(spec);
    for (const member of cluster.members) {
      member.setBootstrap(cluster.initialCluster(), "new", cluster.#token);
    }
    return cluster;
  }

  /** Three Quorate members, say, running and healthy. */
  static async start(options: ClusterOptions): Promise<TestCluster> {
    const cluster = await TestCluster.create(options);
    try {
      for (const member of cluster.members) member.spawn();
      await cluster.ready();
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  get #token(): string {
    return this.#options.token ?? "quorate-e2e";
  }

  get endpoints(): string[] {
    return this.members.map((member) => member.endpoint);
  }

  member(name: string): ClusterMember {
    const found = this.members.find((member) => member.name === name);
    if (found === undefined) throw new Error(`no member ${name}`);
    return found;
  }

  initialCluster(): string {
    return this.members.map((member) => `${member.name}=${member.peerUrl}`).join(",");
  }

  /** A member that joins: add it over the API with its peerUrl first, then start it. */
  async join(spec: MemberSpec): Promise<ClusterMember> {
    const member = await this.#make(spec);
    member.setBootstrap(this.initialCluster(), "existing", this.#token);
    return member;
  }

  /** Ends a member that the cluster removed, and forgets it. */
  async remove(member: ClusterMember): Promise<void> {
    this.members.splice(this.members.indexOf(member), 1);
    await member.close();
  }

  async ready(): Promise<void> {
    await Promise.all(this.members.filter((m) => m.isRunning).map((member) => member.ready()));
  }

  async close(keep = false): Promise<void> {
    await Promise.all(this.members.map((member) => member.close(keep)));
  }

  async #make(spec: MemberSpec): Promise<ClusterMember> {
    const ports = spec.ports ?? { client: await ownPort(), peer: await ownPort() };
    const member = new ClusterMember(spec, ports, this.#options.flags ?? []);
    this.members.push(member);
    return member;
  }
}

/** Ports of this process's clusters, running or not: none is given twice. */
const given = new Set<number>();

async function ownPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}
