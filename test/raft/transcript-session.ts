import { must } from "../../src/base/assert.ts";
import { emptyConfState } from "../../src/raft/conf-change.ts";
import { raftDefaults, type RaftConfig } from "../../src/raft/config.ts";
import { createMessage, MessageType, type Message } from "../../src/raft/message.ts";
import type { RaftId } from "../../src/raft/types.ts";
import { TranscriptNode } from "./transcript-node.ts";
import { showMessage, text } from "./transcript-text.ts";

type Command = (args: string[]) => string[];

/** Rounds after which a cluster that does not come to rest is a bug. */
const roundsMax = 200;
/** Readys of one node in a round; what remains waits for the next round. */
const readysMax = 20;

/** Several nodes and the messages between them, driven by one command per line. */
export class TranscriptSession {
  readonly #nodes = new Map<RaftId, TranscriptNode>();
  #queue: Message[] = [];
  #held: Message[] = [];
  /** Added to the election timeout of a node; set before it draws. */
  readonly #jitter = new Map<RaftId, number>();

  /** Runs one command; the answer is what the transcript shows below it. */
  run(line: string): string {
    const [name, ...args] = line.trim().split(/\s+/);
    try {
      const command = this.#commands[name!];
      if (command === undefined) throw new Error(`unknown command ${name}`);
      return command(args).join("\n") || "ok";
    } catch (error) {
      return `error: ${(error as Error).message}`;
    }
  }

  readonly #commands: Record<string, Command> = {
    nodes: ([count, ...options]) => this.#addNodes(Number(count), options),
    // add 4 voters=1,2,3: a node that starts with that configuration (none: empty)
    add: ([id, ...options]) => this.#addNode(BigInt(id!), options),
    jitter: ([id, ticks]) => {
      this.#jitter.set(BigInt(id!), Number(ticks));
      return [];
    },
    tick: ([id, count = "1"]) => {
      for (let i = 0; i < Number(count); i++) this.#of(id).node.tick();
      return [this.#of(id).status()];
    },
    campaign: ([id]) => {
      this.#of(id).node.campaign();
      return [this.#of(id).status()];
    },
    propose: ([id, ...words]) => words.map((word) => this.#of(id).node.propose(text(word))),
    "propose-size": ([id, ...sizes]) =>
      sizes.map((size) => this.#of(id).node.propose(text("x".repeat(Number(size))))),
    change: ([id, word]) => [this.#of(id).node.proposeConfChange(text(word!))],
    "change-v2": ([id, ...words]) => [this.#of(id).node.proposeConfChangeV2(text(words.join(" ")))],
    read: ([id, context]) => [this.#of(id).node.readIndex(Number(context)) ? "asked" : "refused"],
    transfer: ([id, to]) => {
      this.#of(id).node.transferLeadership(BigInt(to!));
      return [`transferee=${this.#of(id).node.status().transferee}`];
    },
    "step-down": ([id]) => {
      this.#of(id).node.stepDown();
      return [this.#of(id).status()];
    },
    unreachable: ([id, to]) => {
      this.#of(id).node.reportUnreachable(BigInt(to!));
      return this.#progress(id);
    },
    "snapshot-delivered": ([id, to]) => this.#reportSnapshot(id, to, true),
    "snapshot-failed": ([id, to]) => this.#reportSnapshot(id, to, false),
    // Messages that no node would send of itself now.
    "snapshot-to": ([id, to]) => {
      const snapshot = { metadata: must(this.#of(id).storage.snapshot()), data: text("") };
      return this.#inject({ ...this.#between(id, to), type: MessageType.snapshot, snapshot });
    },
    // append-to 1 2 1/3 9: after entry 1/3 nothing, committed up to 9
    "append-to": ([id, to, prev, commit]) => {
      const [logTerm = 0, index = 0] = prev!.split("/").map(Number);
      const parts = { logTerm, index, commit: Number(commit) };
      return this.#inject({ ...this.#between(id, to), type: MessageType.append, ...parts });
    },
    "timeout-now": ([id, to]) =>
      this.#inject({ ...this.#between(id, to), type: MessageType.timeoutNow }),
    ready: ([id]) => this.#of(id).ready(this.#queue),
    sync: ([id, count = "Infinity"]) => this.#of(id).sync(this.#queue, Number(count)),
    apply: ([id]) => this.#of(id).apply(),
    // deliver 2 [from=1]: hands over what waits for 2; each message once
    deliver: ([id, ...options]) => this.#deliver(BigInt(id!), options),
    drop: ([id, ...options]) =>
      this.#take(BigInt(id!), options).map((message) => `lost ${showMessage(message)}`),
    // repeat 2: hands over what waits for 2, and leaves it there
    repeat: ([id, ...options]) => {
      const taken = this.#take(BigInt(id!), options);
      this.#queue.unshift(...taken);
      return taken.map((message) => this.#step(message));
    },
    // hold 2 [from=1], release 2: what waits for 2 comes later than everything sent meanwhile
    hold: ([id, ...options]) => {
      this.#held.push(...this.#take(BigInt(id!), options));
      return [];
    },
    release: ([id]) => {
      this.#queue.push(...this.#held.filter((message) => message.to === BigInt(id!)));
      this.#held = this.#held.filter((message) => message.to !== BigInt(id!));
      return [];
    },
    restart: ([id]) => {
      this.#of(id).restart();
      return [this.#of(id).status()];
    },
    // compact 1: drops all applied entries
    compact: ([id]) => {
      const { storage, node } = this.#of(id);
      storage.trim(node.status().applied);
      return [`first=${storage.firstIndex()} last=${storage.lastIndex()}`];
    },
    status: (ids) => this.#idsOf(ids).map((id) => must(this.#nodes.get(id)).status()),
    progress: ([id]) => this.#progress(id),
    log: (ids) => this.#idsOf(ids).map((id) => this.#log(id)),
    // settle [ids]: work and deliver among these until all is quiet; others neither work nor hear
    settle: (ids) => this.#settle(this.#idsOf(ids), true),
    quietly: (words) => {
      const answer = this.run(words.join(" "));
      return answer.startsWith("error") ? [answer] : [];
    },
  };

  #between(id: string | undefined, to: string | undefined): Pick<Message, "from" | "to" | "term"> {
    return { from: BigInt(id ?? "0"), to: BigInt(to ?? "0"), term: this.#of(id).node.term };
  }

  #inject(parts: Parameters<typeof createMessage>[0]): string[] {
    this.#queue.push(createMessage(parts));
    return this.#deliver(parts.to, []);
  }

  #of(id: string | undefined): TranscriptNode {
    return must(this.#nodes.get(BigInt(id ?? "0")), `node ${id}`);
  }

  #idsOf(words: readonly string[]): RaftId[] {
    return words.length > 0 ? words.map(BigInt) : [...this.#nodes.keys()];
  }

  #addNodes(count: number, options: string[]): string[] {
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    const learners = options.find((option) => option.startsWith("learners="))?.slice(9) ?? "";
    const isLearner = (id: number): boolean => learners.split(",").includes(String(id));
    const voters = ids.filter((id) => !isLearner(id)).join(",");
    return ids.flatMap((id) => this.#addNode(BigInt(id), [`voters=${voters}`, ...options]));
  }

  #addNode(id: RaftId, options: string[]): string[] {
    const random = { u32: () => 0, below: () => this.#jitter.get(id) ?? 0, fork: () => random };
    let config: RaftConfig = { ...raftDefaults, id, random };
    let confState = emptyConfState;
    let terms: number[] = [];
    let term = 0;
    for (const option of options) {
      const [key, value] = option.split("=") as [string, string];
      if (key === "voters" || key === "learners") {
        confState = { ...confState, [key]: value.split(",").filter(Boolean).map(BigInt) };
      } else if (key === "term") term = Number(value);
      else if (key === "terms") terms = value.split(",").map(Number);
      else if (!(key in raftDefaults)) throw new Error(`unknown option ${key}`);
      else
        config = {
          ...config,
          [key]: ["true", "false"].includes(value) ? value === "true" : Number(value),
        };
    }
    this.#nodes.set(id, new TranscriptNode(config, confState, terms, term));
    return [];
  }

  #take(id: RaftId, options: readonly string[]): Message[] {
    const wanted = new Map(options.map((option) => option.split("=") as [string, string]));
    const from = wanted.get("from");
    const type = wanted.get("type");
    const isWanted = (message: Message): boolean =>
      message.to === id &&
      (from === undefined || message.from === BigInt(from)) &&
      (type === undefined || message.type === MessageType[type as keyof typeof MessageType]);
    const taken = this.#queue.filter(isWanted);
    this.#queue = this.#queue.filter((message) => !isWanted(message));
    return taken;
  }

  #deliver(id: RaftId, options: readonly string[]): string[] {
    return this.#take(id, options).map((message) => this.#step(message));
  }

  #step(message: Message): string {
    must(this.#nodes.get(message.to)).node.step(message);
    return `got ${showMessage(message)}`;
  }

  #settle(ids: readonly RaftId[], isTold: boolean): string[] {
    const lines: string[] = [];
    for (let round = 0; round < roundsMax; round++) {
      const before = lines.length;
      for (const id of ids) {
        const node = must(this.#nodes.get(id));
        lines.push(...this.#deliver(id, []));
        for (let i = 0; i < readysMax && node.node.hasReady(); i++) {
          lines.push(...node.ready(this.#queue));
        }
        lines.push(...node.sync(this.#queue));
        lines.push(...node.apply());
      }
      const isQuiet = ids.every((id) => !must(this.#nodes.get(id)).hasWork);
      if (isQuiet && lines.length === before) return isTold ? lines : [];
    }
    throw new Error("the cluster does not come to rest");
  }

  #reportSnapshot(id: string | undefined, to: string | undefined, isDelivered: boolean): string[] {
    this.#of(id).node.reportSnapshot(BigInt(to ?? "0"), isDelivered);
    return this.#progress(id);
  }

  #progress(id: string | undefined): string[] {
    return this.#of(id)
      .node.progress()
      .map(
        (p) =>
          `${p.id} ${p.state} match=${p.match} next=${p.next}` +
          `${p.isLearner ? " learner" : ""}${p.isRecentlyActive ? "" : " inactive"}`,
      );
  }

  #log(id: RaftId): string {
    const { storage } = must(this.#nodes.get(id));
    const terms: string[] = [];
    for (let i = storage.firstIndex(); i <= storage.lastIndex(); i++)
      terms.push(`${storage.term(i)}`);
    return `${id} synced log from ${storage.firstIndex()}: ${terms.join(" ")}`;
  }
}
