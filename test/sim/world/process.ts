/**
 * One member's machine: its disks outlive the processes that run on it, one after the other, from
 * the shipped core.
 */

import { createHash } from "node:crypto";
import type { Logger } from "../../../src/base/log.ts";
import { Histogram } from "../../../src/base/metrics.ts";
import type { Random } from "../../../src/base/ports.ts";
import type { GrpcMethod } from "../../../src/http2/types.ts";
import { nodeChecksum } from "../../../src/io/node-checksum.ts";
import type { RaftId } from "../../../src/raft/types.ts";
import type { Backend } from "../../../src/server/backend/backend.ts";
import { readConfig, type ServerConfig } from "../../../src/server/config/config.ts";
import { ServerCore, type CoreParts } from "../../../src/server/core.ts";
import { isInstallUnfinished } from "../../../src/server/finish-install.ts";
import type { Member } from "../../../src/server/member/member.ts";
import { MemberMetrics } from "../../../src/server/member-metrics.ts";
import { createServices } from "../../../src/server/services.ts";
import { WalCorruptError } from "../../../src/server/wal/recover.ts";
import { MemoryImageFile } from "../../mvcc/memory-image-file.ts";
import { SimBackendDisk } from "../backend.ts";
import { ClockDrift, createSimClock } from "../clock.ts";
import { SimDisk } from "../disk.ts";
import { SimCrash, type Life, type Scheduler } from "../scheduler.ts";
import { createLife } from "../turn.ts";
import type { Network } from "./network.ts";
import type { SimOptions } from "./options.ts";

/** How the member came to the cluster. */
export interface Birth {
  readonly name: string;
  readonly peerUrl: string;
  readonly clusterId: bigint;
  readonly memberId: RaftId;
  /** Of a new cluster; empty for one that joins. */
  readonly firstMembers: readonly Member[];
  readonly remotes: readonly Member[];
}

export interface ProcessParts {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly options: SimOptions;
  readonly network: Network;
  readonly mark: (name: string) => void;
  readonly note: (text: string) => void;
  /** The core is there; it was not started yet. */
  readonly opened: (process: SimProcess, core: ServerCore) => void;
}

const preparedPath = "/data/member/snap/next";
const walDirectory = "/data/member/wal";
const noStats = {
  ...{ residentBytes: () => 0, cpuSeconds: () => 0, startTime: () => 0 },
  ...{ openFiles: () => 0, openFilesMax: () => 0, heapUsedBytes: () => 0 },
};

export class SimProcess {
  readonly birth: Birth;
  readonly disk: SimDisk;
  readonly backendDisk = new SimBackendDisk();
  readonly drift = new ClockDrift();
  life: Life | null = null;
  core: ServerCore | null = null;
  /** gRPC methods by path, once clients are served. */
  methods: ReadonlyMap<string, GrpcMethod> | null = null;
  /** Was removed from the cluster: never to be started again. */
  isRemoved = false;
  /** What it said when it could not go on. */
  lastWords = "";
  /** Its log is not what was written: it must not start. */
  isDamaged = false;
  /** It did not start, since its log or backend is not what was written. */
  isRefusing = false;
  starts = 0;
  readonly #parts: ProcessParts;
  readonly #config: ServerConfig;
  readonly #imageFile = new MemoryImageFile();

  constructor(birth: Birth, parts: ProcessParts) {
    this.birth = birth;
    this.#parts = parts;
    this.disk = new SimDisk(parts.scheduler, parts.random.fork("disk"));
    this.#config = configOf(birth, parts.options);
  }

  get id(): RaftId {
    return this.birth.memberId;
  }

  get isRunning(): boolean {
    return this.life?.isAlive === true;
  }

  start(): void {
    const { scheduler, random, options } = this.#parts;
    const { life, turn } = createLife(scheduler);
    this.life = life;
    this.lastWords = "";
    this.isRefusing = false;
    this.starts++;
    const own = random.fork(`life ${this.starts}`);
    const clock = createSimClock(scheduler, life, this.drift);
    const backend = (): Backend =>
      this.backendDisk.open({
        ...{ clock, random: own.fork("backend"), commitDelayMsMax: options.commitDelayMsMax },
      });
    scheduler.after(0, life, () => {
      this.#openBackend(life, own, backend, (opened) => {
        this.#open({ life, own, backend: opened, clock, turn });
      });
    });
  }

  /** The process ends here and now, and the power goes: nothing unsynced is sure to stay. */
  crash(): void {
    if (this.life === null) return;
    this.life.isAlive = false;
    this.#parts.network.died(this.life);
    this.life = null;
    this.core = null;
    this.methods = null;
    this.disk.fault = () => null;
    this.disk.crash();
    this.backendDisk.crash(this.#parts.random.fork(`crash ${this.starts}`));
  }

  /** As src/server/open-backend.ts: an install that a crash cut short is completed first. */
  #openBackend(
    life: Life,
    random: Random,
    open: () => Backend,
    done: (backend: Backend) => void,
  ): void {
    const backend = open();
    const view = backend.view();
    const { consistentIndex } = view;
    view.close();
    if (this.backendDisk.prepared(preparedPath) === null) {
      done(backend);
      return;
    }
    const { clusterId, memberId } = this.birth;
    isInstallUnfinished(
      {
        ...{ random, walDirectory, clusterId, memberId, checksum: nodeChecksum },
        disk: this.disk.portFor(life),
        now: () => this.#parts.scheduler.now,
      },
      consistentIndex,
      (error, isUnfinished) => {
        if (error !== null) this.#fatal(error);
        if (!isUnfinished) {
          this.backendDisk.clearPrepared();
          done(backend);
          return;
        }
        this.#parts.mark("snapshot.install-completed-at-start");
        backend.close(() => {
          this.backendDisk.takePrepared(preparedPath);
          done(open());
        });
      },
    );
  }

  #open(made: Pick<CoreParts, "backend" | "clock" | "turn"> & { life: Life; own: Random }): void {
    const { life, own, backend, clock, turn } = made;
    const { options, network } = this.#parts;
    const { clusterId, memberId, firstMembers, remotes } = this.birth;
    const config = this.#config;
    const log = this.#logger();
    const random = own.fork("core");
    const parts: CoreParts & { storageLimits: { bytesMax: number; catchUpEntries: number } } = {
      ...{ config, clock, turn, random, log, backend, walDirectory, remotes, preparedPath },
      ids: { clusterId, localId: memberId },
      ...{ checksum: nodeChecksum, sha1, disk: this.disk.portFor(life) },
      walSettings: {
        ...{ segmentBytes: options.segmentBytes, firstSegmentBytes: 4096, paddingBytes: 512 },
        ...{ zeroChunkBytes: 4096, inlineEntriesMax: options.inlineEntriesMax },
      },
      storageLimits: { bytesMax: 1 << 20, catchUpEntries: options.catchUpEntries },
      imageFile: this.#imageFile,
      metrics: new MemberMetrics(config, noStats, new Histogram([1])),
      overlayBytesMax: 1 << 20,
      newMembers: () => firstMembers,
      isForcedAlone: false,
      connect: (events) => network.attach(memberId, life, events),
      removePrepared: () => {
        this.backendDisk.clearPrepared();
      },
      removed: () => {
        this.isRemoved = true;
        this.lastWords = "removed";
        throw new SimCrash();
      },
      fatal: (error) => this.#fatal(error),
    };
    ServerCore.open(parts, (error, core) => {
      if (core === null) this.#fatal(error ?? new Error("no core"));
      this.core = core;
      network.endpoint(memberId)!.services = core.peerServices;
      this.#parts.opened(this, core);
      core.start(() => {
        const io = { clock, turn, random: own.fork("services"), log };
        const methods = createServices({ config, io, core, backend, metrics: parts.metrics });
        this.methods = new Map(methods.map((method) => [method.path, method]));
        this.#parts.note(`${this.birth.name} serves`);
      });
    });
  }

  #fatal(error: Error): never {
    this.isRefusing = error instanceof WalCorruptError;
    this.lastWords = error.message;
    throw new SimCrash();
  }

  /** What the member logs tells which of its rare paths were taken. */
  #logger(): Logger {
    const { mark, note } = this.#parts;
    const { name } = this.birth;
    const log =
      (level: string) =>
      (message: string, fields: object = {}): void => {
        mark(`log: ${message}`);
        if (level !== "debug") note(`${name} ${level}: ${message} ${textOf(fields)}`);
      };
    return {
      ...{ debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
      fatal: (message, fields = {}) => {
        note(`${name} fatal: ${message} ${textOf(fields)}`);
        this.lastWords = message;
        throw new SimCrash();
      },
    };
  }
}

function textOf(fields: object): string {
  return JSON.stringify(fields, (_key, value: unknown) => {
    if (typeof value === "bigint") return value.toString(16);
    return value instanceof Error ? value.message : value;
  });
}

function configOf(birth: Birth, options: SimOptions): ServerConfig {
  const flags = {
    ...{ name: birth.name, "initial-advertise-peer-urls": birth.peerUrl },
    "initial-cluster": `${birth.name}=${birth.peerUrl}`,
    "heartbeat-interval": options.heartbeatMs,
    "election-timeout": options.electionMs,
    "snapshot-catchup-entries": options.catchUpEntries,
    "backend-batch-interval": `${options.batchIntervalMs}ms`,
  };
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  const refuse = (path: string): never => {
    throw new Error(`${path}: there are no files here`);
  };
  const outcome = readConfig({ args, env: {}, readFile: refuse, versionText: "" });
  if (outcome.kind === "run") return outcome.config;
  throw new Error(`${outcome.stderr} ${outcome.notes.map((n) => textOf(n)).join(" ")}`);
}

export function sha1(bytes: Uint8Array): Uint8Array {
  return createHash("sha1").update(bytes).digest();
}
