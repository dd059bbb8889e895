import type { EtcdError } from "../../src/base/etcd-errors.ts";
import type { Logger } from "../../src/base/log.ts";
import type { Random, Turn } from "../../src/base/ports.ts";
import { nodeChecksum } from "../../src/io/node-checksum.ts";
import { emptyConfState } from "../../src/raft/conf-change.ts";
import { ConfChangeType } from "../../src/raft/message.ts";
import type { ConfState, Entry } from "../../src/raft/types.ts";
import type { ApplyResult } from "../../src/server/apply/applier.ts";
import type { Node } from "../../src/server/node.ts";
import { createNode } from "../../src/server/start-node.ts";
import type { WalSettings } from "../../src/server/wal/open.ts";
import { createSimClock } from "./clock.ts";
import type { SimDisk } from "./disk.ts";
import type { Life, Scheduler } from "./scheduler.ts";
import { createLife } from "./turn.ts";

/** What the simulated backend holds: every applied value, with the index that wrote it. */
export interface BackendState {
  index: number;
  term: number;
  confState: ConfState;
  values: number[];
}

export const emptyBackend: BackendState = {
  index: 0,
  term: 0,
  confState: emptyConfState,
  values: [],
};

/** This state machine's answers carry nothing. */
const noResult = {} as ApplyResult;
const memberId = 0x1234n;
const noLog = (): void => undefined;
const silent: Logger = {
  debug: noLog,
  info: noLog,
  warn: noLog,
  error: noLog,
  fatal(message): never {
    throw new Error(message);
  },
};

/** One run of a member: node and WAL as shipped, over a state machine that is a list of numbers. */
export class SimMember {
  readonly life: Life;
  readonly turn: Turn;
  state: BackendState;
  node: Node | null = null;
  /** What waiters of proposals were told. */
  readonly failures: string[] = [];
  /** Why the member ended by itself. */
  failure: Error | null = null;
  readonly #scheduler: Scheduler;
  readonly #onCommit: (state: BackendState) => void;
  readonly #random: Random;
  readonly #applyMs: number;
  /** The longest turn spent in applying, ms. */
  applyTurnMsMax = 0;
  #spentInTurn = 0;

  constructor(options: {
    scheduler: Scheduler;
    disk: SimDisk;
    random: Random;
    durable: BackendState;
    /** A backend commit became durable. */
    onCommit: (state: BackendState) => void;
    walSettings: Partial<WalSettings>;
    /** How long applying one entry takes. */
    applyMs?: number;
  }) {
    this.#scheduler = options.scheduler;
    this.#onCommit = options.onCommit;
    this.#random = options.random;
    this.#applyMs = options.applyMs ?? 0;
    const { life, turn } = createLife(options.scheduler);
    this.life = life;
    this.turn = turn;
    const { durable } = options;
    this.state = { ...durable, values: durable.values.slice() };
    const ended = (error: Error): void => {
      this.failure ??= error;
      life.isAlive = false;
    };
    options.scheduler.after(0, life, () => {
      createNode(
        {
          disk: options.disk.portFor(life),
          checksum: nodeChecksum,
          random: options.random,
          walDirectory: "/data/member/wal",
          clusterId: 0xcn,
          memberId,
          electionTicks: 10,
          slowApplyMs: 100,
          tickMs: 100,
          electionTimeoutMs: 1000,
          clock: createSimClock(options.scheduler, life),
          turn,
          log: silent,
          applied: { index: durable.index, term: durable.term },
          confState: durable.confState,
          bootstrap: () => [
            { change: { type: ConfChangeType.addNode, nodeId: memberId }, data: new Uint8Array(1) },
          ],
          walSettings: options.walSettings,
          apply: (entry) => {
            this.#apply(entry);
          },
          applyConfChange: (entry) => {
            const change = { type: ConfChangeType.addNode, nodeId: memberId };
            this.state.confState = this.node!.applyConfChange(change);
            this.#note(entry);
          },
          fatal: ended,
        },
        (error, started) => {
          if (error !== null) {
            ended(error);
            return;
          }
          this.node = started.node;
          started.node.start();
          this.#commitLater();
        },
      );
    });
  }

  /** Proposes a number; `answered` runs with null once it was applied. */
  propose(value: number, size: number, answered: () => void): boolean {
    return this.tryPropose(value, size, answered) === null;
  }

  /** As propose, with the reason of a refusal. */
  tryPropose(value: number, size: number, answered: () => void): EtcdError | null {
    const node = this.node!;
    const idLow = node.proposals.nextIdLow();
    const data = new Uint8Array(16 + size);
    const view = new DataView(data.buffer);
    view.setFloat64(0, idLow);
    view.setFloat64(8, value);
    const error = node.propose(data);
    if (error !== null) return error;
    const failed = (failure: EtcdError): void => {
      this.failures.push(failure.message);
    };
    node.proposals.register(idLow, { applied: answered, failed });
    return null;
  }

  #apply(entry: Entry): void {
    this.#spend();
    if (entry.data.length > 0) {
      const view = new DataView(entry.data.buffer, entry.data.byteOffset, entry.data.length);
      this.state.values.push(view.getFloat64(8));
      this.node!.proposals.applied(view.getFloat64(0), noResult);
    }
    this.#note(entry);
  }

  #spend(): void {
    if (this.#applyMs === 0) return;
    if (this.#spentInTurn === 0) {
      this.turn.atEnd(() => {
        this.#spentInTurn = 0;
      });
    }
    this.#spentInTurn += this.#applyMs;
    this.#scheduler.now += this.#applyMs;
    this.applyTurnMsMax = Math.max(this.applyTurnMsMax, this.#spentInTurn);
  }

  #note(entry: Entry): void {
    this.state.index = entry.index;
    this.state.term = entry.term;
  }

  #commitLater(): void {
    this.#scheduler.after(20 + this.#random.below(100), this.life, () => {
      const state = { ...this.state, values: this.state.values.slice() };
      this.#scheduler.after(this.#random.below(30), this.life, () => {
        this.#onCommit(state);
        this.node!.releaseTo(state.index);
        this.#commitLater();
      });
    });
  }
}
