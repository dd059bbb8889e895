import { must } from "../../src/base/assert.ts";
import { emptyConfState } from "../../src/raft/conf-change.ts";
import { raftDefaults, type RaftConfig } from "../../src/raft/config.ts";
import type { Message } from "../../src/raft/message.ts";
import { RawNode, type Ready } from "../../src/raft/raw-node.ts";
import { MemoryStorage } from "../../src/raft/storage.ts";
import type { Entry, HardState, RaftId } from "../../src/raft/types.ts";
import { hashOf } from "./fingerprint.ts";

export type NodeInput =
  | { readonly kind: "deliver"; readonly message: Message }
  | { readonly kind: "timeout" | "sync" | "crash" }
  | { readonly kind: "propose"; readonly name: string }
  | { readonly kind: "read"; readonly context: number; readonly floor: number };

/** What differs between explorations; a fault is a planted bug that must be found. */
export interface NodeOptions {
  readonly voters: readonly RaftId[];
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  /** One entry per message, and two messages under way at most. */
  readonly hasSmallMessages: boolean;
  readonly fault: "none" | "answersBeforeSync" | "forgetsVote" | "losesSyncedEntry";
}

const electionTicks = 2;
/** Readys after one input; more is a bug. */
const readysMax = 20;

/**
 * One node with a disk: what is synced survives a crash, the rest does not. It is rebuilt from its
 * inputs rather than copied, which is exact as raft has no other source of change.
 */
export class ExploredNode {
  readonly id: RaftId;
  readonly config: RaftConfig & { readonly options: NodeOptions };
  readonly inputs: readonly NodeInput[];
  /** Everything handed out to be written, and the part of it that is synced. */
  log: Entry[] = [];
  synced: Entry[] = [];
  hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  /** As of the last write that was synced: a commit index alone is written with the next one. */
  syncedHardState = this.hardState;
  applied: Entry[] = [];
  unsynced: Ready[] = [];
  /** Per read asked for: the highest committed index anywhere at that time. */
  readonly floors = new Map<number, number>();
  node: RawNode;

  constructor(id: RaftId, options: NodeOptions, inputs: readonly NodeInput[]) {
    this.id = id;
    this.inputs = inputs;
    const random = { u32: () => 0, below: () => 0, fork: () => random };
    const { preVote, checkQuorum, hasSmallMessages } = options;
    const small = hasSmallMessages ? { messageBytesMax: 1, inflightsMax: 2 } : {};
    const own = { id, electionTicks, preVote, checkQuorum, random, options };
    this.config = { ...raftDefaults, ...small, ...own };
    this.node = this.#start();
    for (const input of inputs.slice(0, -1)) this.#run(input);
  }

  /** Runs the last input; returns what it sends. */
  runLast(): Message[] {
    const sent: Message[] = [];
    const last = this.inputs.at(-1);
    if (last !== undefined) this.#run(last, sent);
    return sent;
  }

  fingerprint(): number {
    const counters = this.node as unknown as { readonly _number: number };
    return hashOf(this, must(counters._number, "open fields"));
  }

  #start(): RawNode {
    const storage = new MemoryStorage(0, 0);
    storage.append(this.synced);
    this.storage = storage;
    return new RawNode(this.config, {
      storage,
      hardState: this.hardState,
      confState: { ...emptyConfState, voters: this.config.options.voters },
      applied: 0,
    });
  }
  storage!: MemoryStorage;

  #run(input: NodeInput, sent: Message[] = []): void {
    switch (input.kind) {
      case "deliver":
        this.node.step(input.message);
        break;
      case "propose":
        this.node.propose(new TextEncoder().encode(input.name));
        break;
      case "timeout":
        this.#timeout();
        break;
      case "sync":
        this.#sync(sent);
        break;
      case "crash":
        this.#crash();
        break;
      case "read":
        if (this.node.readIndex(input.context)) this.floors.set(input.context, input.floor);
        break;
    }
    for (let i = 0; this.node.hasReady(); i++) {
      if (i === readysMax) throw new Error("the node never comes to rest");
      this.#handle(this.node.ready(), sent);
    }
  }

  /** A leader's next heartbeat; anyone else's election timeout. */
  #timeout(): void {
    const { role } = this.node;
    this.node.tick();
    for (let i = 1; i < electionTicks && role !== "leader"; i++) this.node.tick();
  }

  #handle(ready: Ready, sent: Message[]): void {
    const first = ready.entries[0];
    if (first !== undefined) this.log.splice(first.index - 1, Infinity, ...ready.entries);
    sent.push(...ready.messages);
    if (ready.mustSync || this.unsynced.length > 0) this.unsynced.push(ready);
    else this.#finish(ready, sent);
    if (this.config.options.fault === "answersBeforeSync" && this.unsynced.includes(ready)) {
      sent.push(...ready.messagesAfterSync);
    }
    for (const read of ready.readStates) {
      const floor = must(this.floors.get(read.context), "read that was asked for");
      if (read.index < floor) throw new Error(`read at ${read.index}, committed was ${floor}`);
    }
    this.applied.push(...ready.committedEntries);
    if (ready.committedEntries.length > 0)
      this.node.appliedTo(ready.committedEntries.at(-1)!.index);
  }

  #sync(sent: Message[]): void {
    const oldest = this.unsynced.shift();
    if (oldest === undefined) return;
    this.#finish(oldest, sent);
    while (this.unsynced.length > 0 && !this.unsynced[0]!.mustSync) {
      this.#finish(this.unsynced.shift()!, sent);
    }
  }

  #finish(ready: Ready, sent: Message[]): void {
    const first = ready.entries[0];
    if (first !== undefined) {
      this.synced.splice(first.index - 1, Infinity, ...ready.entries);
      this.storage.append(ready.entries);
    }
    this.hardState = ready.hardState ?? this.hardState;
    if (ready.mustSync) this.syncedHardState = this.hardState;
    this.node.synced(ready.number);
    if (this.config.options.fault !== "answersBeforeSync") sent.push(...ready.messagesAfterSync);
  }

  #crash(): void {
    const { fault } = this.config.options;
    this.unsynced = [];
    this.applied = [];
    this.floors.clear();
    if (fault === "losesSyncedEntry") this.synced.pop();
    const vote = fault === "forgetsVote" ? 0n : this.syncedHardState.vote;
    const commit = Math.min(this.syncedHardState.commit, this.synced.length);
    this.hardState = { ...this.syncedHardState, vote, commit };
    this.syncedHardState = this.hardState;
    this.log = [...this.synced];
    this.node = this.#start();
  }
}
