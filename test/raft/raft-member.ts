import { createRandom } from "../../src/base/random.ts";
import { emptyConfState } from "../../src/raft/conf-change.ts";
import { raftDefaults, type RaftConfig } from "../../src/raft/config.ts";
import { createMessage, MessageType, type Message } from "../../src/raft/message.ts";
import { RawNode } from "../../src/raft/raw-node.ts";
import { MemoryStorage } from "../../src/raft/storage.ts";
import type { RaftId } from "../../src/raft/types.ts";

/** One raft node with a disk that is quick; what the others say is written by the test. */
export class RaftMember {
  readonly node: RawNode;
  readonly storage = new MemoryStorage(0, 0, { bytesMax: Infinity, catchUpEntries: 0 });
  readonly #id: RaftId;
  #sent: Message[] = [];
  #reads: number[] = [];

  constructor(id: RaftId, voters: readonly RaftId[], settings: Partial<RaftConfig> = {}) {
    this.#id = id;
    const config = { ...raftDefaults, id, random: createRandom(1), preVote: false, ...settings };
    this.node = new RawNode(config, {
      storage: this.storage,
      hardState: { term: 0, vote: 0n, commit: 0 },
      confState: { ...emptyConfState, voters },
      applied: 0,
    });
  }

  /** A leader that committed the first entry of its term with 2. */
  static elected(
    id: RaftId,
    voters: readonly RaftId[],
    settings: Partial<RaftConfig> = {},
  ): RaftMember {
    const member = new RaftMember(id, voters, settings);
    member.elect();
    member.acknowledgeAll(2n);
    member.takeSent(MessageType.append);
    return member;
  }

  /** Wins an election with the vote of 2. */
  elect(): void {
    this.node.campaign();
    this.work();
    this.step({ type: MessageType.voteResponse, from: 2n });
  }

  acknowledgeAll(from: RaftId): void {
    this.work();
    this.step({ type: MessageType.appendResponse, from, index: this.node.status().lastIndex });
  }

  /** A message arrives; of the node's own term unless `parts` say another. */
  deliver(parts: Partial<Message> & Pick<Message, "type" | "from">): void {
    this.node.step(createMessage({ term: this.node.term, ...parts, to: this.#id }));
  }

  step(parts: Partial<Message> & Pick<Message, "type" | "from">): void {
    this.deliver(parts);
    this.work();
  }

  /** Syncs, applies and sends all there is. */
  work(): void {
    while (this.node.hasReady()) {
      const ready = this.node.ready();
      this.#sent.push(...ready.messages);
      this.storage.append(ready.entries);
      this.node.synced(ready.number);
      this.#sent.push(...ready.messagesAfterSync);
      this.#reads.push(...ready.readStates.map(({ context }) => context));
      const last = ready.committedEntries.at(-1);
      if (last !== undefined) this.node.appliedTo(last.index);
    }
  }

  /** What was sent of one type since the last call. */
  takeSent(type: MessageType): Message[] {
    this.work();
    const taken = this.#sent.filter((message) => message.type === type);
    this.#sent = this.#sent.filter((message) => message.type !== type);
    return taken;
  }

  /** The contexts of reads allowed since the last call. */
  takeReads(): number[] {
    this.work();
    return this.#reads.splice(0);
  }
}
