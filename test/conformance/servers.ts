// Starts Go etcd and Quorate as real processes on free loopback ports with new data directories.
//
// SRV1  Both advertise the same URLs, whatever they listen on, so member id and cluster id are
//       equal and need no normalisation.
// SRV2  Only processes started here are ended, by their own handle.
import { spawn, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const quorateProgram = fileURLToPath(new URL("../../bin/etcd", import.meta.url));

const readyTimeoutMs = 60_000;
const stopTimeoutMs = 20_000;
const readyPollMs = 10;
const portMin = 12_000;
const portCount = 18_000;
const advertisedClientUrl = "http://127.0.0.1:2379";
const advertisedPeerUrl = "http://127.0.0.1:2380";

export interface ServerOptions {
  /** Short name for messages and the data directory. */
  readonly label: string;
  /** Path of an etcd-compatible server program. */
  readonly program: string;
  readonly flags?: readonly string[];
  /** Placed before the program, for instance a profiler or a pinning command. */
  readonly launcher?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Server {
  readonly label: string;
  /** host:port of the client URL. */
  readonly endpoint: string;
  /** host:port of the peer URL. */
  readonly peerEndpoint: string;
  readonly folder: string;
  readonly pid: number;
  /** Milliseconds from start to the first healthy answer. */
  readonly readyMs: number;
  log(): string;
  /** Ends the process with a signal and waits for its end. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** The same ports and data directory, after end(). */
  restart(): Promise<void>;
  /** Ends the process if it runs and removes the data directory. */
  close(): Promise<void>;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.on("error", () => {
      resolve(false);
    });
    probe.listen(port, "127.0.0.1", () => {
      probe.close(() => {
        resolve(true);
      });
    });
  });
}

/** A port below the ephemeral range, where no outgoing connection can take it meanwhile. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = portMin + randomInt(portCount);
    if (await isFree(port)) return port;
  }
}

export async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${endpoint}/health`, {
      signal: AbortSignal.timeout(2_000),
    });
    return response.ok && (await response.text()).includes(`"true"`);
  } catch {
    return false; // not listening yet
  }
}

class RunningServer implements Server {
  readonly label: string;
  readonly endpoint: string;
  readonly peerEndpoint: string;
  readonly folder: string;
  readyMs = 0;
  readonly #options: ServerOptions;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  constructor(options: ServerOptions, clientPort: number, peerPort: number) {
    this.#options = options;
    this.label = options.label;
    this.endpoint = `127.0.0.1:${clientPort}`;
    this.peerEndpoint = `127.0.0.1:${peerPort}`;
    this.folder = mkdtempSync(join(tmpdir(), `quorate-${options.label}-`));
    this.#args = [
      ...["--name", "n1", "--data-dir", join(this.folder, "data")],
      ...["--listen-client-urls", `http://${this.endpoint}`],
      ...["--advertise-client-urls", advertisedClientUrl],
      ...["--listen-peer-urls", `http://${this.peerEndpoint}`],
      ...["--initial-advertise-peer-urls", advertisedPeerUrl],
      ...["--initial-cluster", `n1=${advertisedPeerUrl}`],
      ...(options.flags ?? []),
    ];
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  log(): string {
    return readFileSync(join(this.folder, "log"), "utf8");
  }

  async restart(): Promise<void> {
    const [program, ...args] = [
      ...(this.#options.launcher ?? []),
      this.#options.program,
      ...this.#args,
    ];
    const log = openSync(join(this.folder, "log"), "a");
    const started = performance.now();
    const child = spawn(program ?? "", args, {
      stdio: ["ignore", log, log],
      env: { ...process.env, ...this.#options.env },
    });
    closeSync(log);
    child.on("error", () => undefined); // shows as an exit below
    this.#child = child;
    while (!(await isHealthy(this.endpoint))) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
        throw new Error(`${this.label} ended while starting:\n${this.log().slice(-4_000)}`);
      }
      if (performance.now() - started > readyTimeoutMs) {
        throw new Error(`${this.label} is not ready in time:\n${this.log().slice(-4_000)}`);
      }
      await delay(readyPollMs);
    }
    this.readyMs = performance.now() - started;
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
      return child?.exitCode ?? null;
    }
    const ended = new Promise<void>((resolve) =>
      child.once("exit", () => {
        resolve();
      }),
    );
    child.kill(signal);
    const hard = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await ended;
    clearTimeout(hard);
    return child.exitCode;
  }

  async close(): Promise<void> {
    await this.end("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Starts one server and waits until it answers /health. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const server = new RunningServer(options, await freePort(), await freePort());
  try {
    await server.restart();
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}
