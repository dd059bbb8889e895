import type { RaftConfig } from "../../src/raft/config.ts";
import type { Message } from "../../src/raft/message.ts";
import { RawNode, type Ready } from "../../src/raft/raw-node.ts";
import { MemoryStorage } from "../../src/raft/storage.ts";
import type { ConfState, Entry, HardState, SnapshotMetadata } from "../../src/raft/types.ts";
import { parseEntry, showConf, showEntry, showReady, text } from "./transcript-text.ts";

/** One node of a transcript with its disk: what was handed out, and what is synced. */
export class TranscriptNode {
  readonly config: RaftConfig;
  readonly storage: MemoryStorage;
  node: RawNode;
  #hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  #syncedHardState = this.#hardState;
  #confState: ConfState;
  #appliedTerm = 0;
  #applied = 0;
  #unsynced: Ready[] = [];
  #toApply: Entry[] = [];

  /** `terms`: the terms of the entries in the log at the start, all synced, none committed; `term`: if later. */
  constructor(config: RaftConfig, confState: ConfState, terms: readonly number[], term: number) {
    this.config = config;
    this.#confState = confState;
    this.storage = new MemoryStorage(0, 0, { bytesMax: Infinity, catchUpEntries: 0 });
    this.storage.append(
      terms.map((term, i) => ({ type: 0, term, index: i + 1, data: text(`e${i + 1}`) })),
    );
    this.#hardState = { term: Math.max(term, terms.at(-1) ?? 0), vote: 0n, commit: 0 };
    this.#syncedHardState = this.#hardState;
    this.node = this.#start();
  }

  get hasWork(): boolean {
    return this.node.hasReady() || this.#unsynced.length > 0 || this.#toApply.length > 0;
  }

  /** Takes the next Ready; its messages go to `sent`. */
  ready(sent: Message[]): string[] {
    if (!this.node.hasReady()) return [`${this.config.id} has nothing`];
    const ready = this.node.ready();
    sent.push(...ready.messages);
    this.#toApply.push(...ready.committedEntries);
    this.#unsynced.push(ready);
    if (!this.#unsynced.some((one) => one.mustSync)) this.sync(sent);
    return [
      `${this.config.id} ready${ready.mustSync ? ", to be synced" : ""}`,
      ...showReady(ready),
    ];
  }

  /** The next `count` outstanding Readys are synced; nothing is said if there are none. */
  sync(sent: Message[], count = Infinity): string[] {
    const done = this.#unsynced.splice(0, count);
    for (const ready of done) {
      if (ready.snapshot !== null) this.#install(ready.snapshot);
      this.storage.append(ready.entries);
      this.#hardState = ready.hardState ?? this.#hardState;
      if (ready.mustSync) this.#syncedHardState = this.#hardState;
    }
    if (done.length === 0) return [];
    this.node.synced(done.at(-1)!.number);
    sent.push(...done.flatMap((ready) => ready.messagesAfterSync));
    return [`${this.config.id} synced`];
  }

  apply(): string[] {
    const lines: string[] = [];
    for (const entry of this.#toApply.splice(0)) {
      if (entry.type !== 0) {
        this.node.appliedTo(entry.index - 1);
        this.#confState = this.node.applyConfChange(parseEntry(entry));
        lines.push(`${this.config.id} applied ${showEntry(entry)}: ${showConf(this.#confState)}`);
      }
      this.#applied = entry.index;
      this.#appliedTerm = entry.term;
      this.node.appliedTo(entry.index);
    }
    return lines;
  }

  /** A crash: what was not synced is gone. */
  restart(): void {
    this.#unsynced = [];
    this.#toApply = [];
    this.#hardState = this.#syncedHardState;
    this.node = this.#start();
  }

  status(): string {
    const s = this.node.status();
    return (
      `${s.id} ${s.role} term=${s.term} vote=${s.vote} leader=${s.leader} last=${s.lastIndex} ` +
      `synced=${s.syncedIndex} commit=${s.commit} applied=${s.applied}`
    );
  }

  #start(): RawNode {
    this.storage.provideSnapshots(() => ({
      confState: this.#confState,
      index: this.#applied,
      term: this.#appliedTerm,
    }));
    const commit = Math.max(this.#hardState.commit, this.#applied);
    return new RawNode(this.config, {
      storage: this.storage,
      hardState: { ...this.#hardState, commit },
      confState: this.#confState,
      applied: this.#applied,
    });
  }

  #install(snapshot: SnapshotMetadata): void {
    this.storage.applySnapshot(snapshot);
    this.#confState = snapshot.confState;
    this.#applied = snapshot.index;
    this.#appliedTerm = snapshot.term;
    this.#toApply = [];
  }
}
