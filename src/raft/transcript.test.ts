// Runs testdata/*.txt: a command line, "----", the full expected output, an empty line. With
// REWRITE=1 the outputs are written anew; commit such a change only if you can explain each line.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { emptyConfState } from "./conf-change.ts";
import { raftDefaults, type RaftConfig } from "./config.ts";
import { ConfChangeType, type ConfChange } from "./message.ts";
import { RawNode, type Ready } from "./raw-node.ts";
import { MemoryStorage } from "./storage.ts";
import type { ConfState, Entry, HardState } from "./types.ts";

const changeTypes: Record<string, ConfChange["type"]> = {
  add: ConfChangeType.addNode,
  remove: ConfChangeType.removeNode,
  update: ConfChangeType.updateNode,
  learner: ConfChangeType.addLearner,
};

/** One raft node with a disk made of two variables: what was handed out, and what was synced. */
class Session {
  #config: RaftConfig = { ...raftDefaults, id: 1n, random: createRandom(1) };
  #storage = new MemoryStorage(0, 0);
  #hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  #confState: ConfState = emptyConfState;
  #applied = 0;
  #node = this.#start();
  #unsynced: Ready[] = [];
  #toApply: Entry[] = [];

  readonly #commands: Record<string, (...args: string[]) => string> = {
    set: (name, value) => {
      this.#config = { ...this.#config, [name]: value === "true" || Number(value) };
      this.#node = this.#start();
      return "ok";
    },
    bootstrap: (...ids) => {
      this.#node.bootstrap(
        ids.map((id) => ({ change: change("add", id), data: text(`add ${id}`) })),
      );
      return this.#status();
    },
    tick: (count = "1") => {
      for (let i = Number(count); i > 0; i--) this.#node.tick();
      return this.#status();
    },
    campaign: () => {
      this.#node.campaign();
      return this.#status();
    },
    propose: (...words) => words.map((word) => this.#node.propose(text(word))).join(" "),
    "propose-size": (size) => this.#node.propose(new Uint8Array(Number(size))),
    "propose-change": (type, id) => this.#node.proposeConfChange(text(`${type} ${id}`)),
    "read-index": (context) => (this.#node.readIndex(Number(context)) ? "asked" : "refused"),
    ready: () => {
      if (!this.#node.hasReady()) return "nothing";
      const ready = this.#node.ready();
      if (ready.mustSync) this.#unsynced.push(ready);
      else if (ready.hardState !== null) this.#hardState = ready.hardState;
      this.#toApply.push(...ready.committedEntries);
      return describe(ready);
    },
    sync: (number) => {
      while (this.#unsynced.length > 0 && this.#unsynced[0]!.number <= Number(number)) {
        const ready = this.#unsynced.shift()!;
        this.#storage.append(ready.entries);
        this.#hardState = ready.hardState ?? this.#hardState;
      }
      this.#node.synced(Number(number));
      return this.#status();
    },
    apply: () => {
      const lines = [];
      for (const entry of this.#toApply.splice(0)) {
        if (entry.type !== 0) {
          const [type, id] = new TextDecoder().decode(entry.data).split(" ");
          this.#node.appliedTo(entry.index - 1);
          this.#confState = this.#node.applyConfChange(change(type!, id!));
          const { voters, learners } = this.#confState;
          lines.push(`${show(entry)} -> voters=(${voters}) learners=(${learners})`);
        } else lines.push(show(entry));
        this.#applied = entry.index;
        this.#node.appliedTo(entry.index);
      }
      return lines.length > 0 ? lines.join("\n") : "nothing";
    },
    // A crash loses what was not synced; with "forget" also what was applied, but not the log.
    restart: (forget) => {
      this.#unsynced = [];
      this.#toApply = [];
      if (forget === "forget") {
        this.#applied = 0;
        this.#confState = emptyConfState;
      }
      this.#node = this.#start();
      return this.#status();
    },
    status: () => this.#status(),
  };

  run(line: string): string {
    const [name, ...args] = line.split(/\s+/);
    const command = this.#commands[name!];
    assert.ok(command !== undefined, `unknown command ${name}`);
    try {
      return command(...args);
    } catch (error) {
      return `error: ${(error as Error).message}`;
    }
  }

  #start(): RawNode {
    return new RawNode(this.#config, {
      storage: this.#storage,
      hardState: { ...this.#hardState, commit: Math.max(this.#hardState.commit, this.#applied) },
      confState: this.#confState,
      applied: this.#applied,
    });
  }

  #status(): string {
    const s = this.#node.status();
    return (
      `${s.role} term=${s.term} vote=${s.vote} leader=${s.leader} ` +
      `last=${s.lastIndex} synced=${s.syncedIndex} commit=${s.commit} applied=${s.applied}`
    );
  }
}

function change(type: string, id: string): ConfChange {
  return { type: changeTypes[type]!, nodeId: BigInt(id) };
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function show(entry: Entry): string {
  const { data } = entry;
  const content = data.length > 40 ? `${data.length} bytes` : `"${new TextDecoder().decode(data)}"`;
  return `${entry.term}/${entry.index} ${entry.type === 0 ? "normal" : "change"} ${content}`;
}

function describe(ready: Ready): string {
  const lines = [`Ready ${ready.number} mustSync=${ready.mustSync}`];
  const { softState, hardState } = ready;
  if (softState !== null) lines.push(`  soft ${softState.role} leader=${softState.leader}`);
  if (hardState !== null) {
    lines.push(`  hard term=${hardState.term} vote=${hardState.vote} commit=${hardState.commit}`);
  }
  for (const entry of ready.entries) lines.push(`  append ${show(entry)}`);
  for (const entry of ready.committedEntries) lines.push(`  commit ${show(entry)}`);
  for (const read of ready.readStates)
    lines.push(`  read context=${read.context} index=${read.index}`);
  lines.push(...ready.messages.map((m) => `  send type=${m.type} to=${m.to}`));
  lines.push(...ready.messagesAfterSync.map((m) => `  send after sync type=${m.type} to=${m.to}`));
  return lines.join("\n");
}

const directory = `${import.meta.dirname}/testdata`;

for (const file of readdirSync(directory)
  .filter((name) => name.endsWith(".txt"))
  .sort()) {
  test(`transcript ${file}`, () => {
    const session = new Session();
    const content = readFileSync(`${directory}/${file}`, "utf8");
    const blocks = content.trimEnd().split(/\n\n+/);
    const actual = blocks.map((block) => {
      const [head] = block.split("\n----");
      const lines = head!.split("\n");
      const line = lines.find((l) => !l.startsWith("#"));
      return line === undefined ? head : `${head}\n----\n${session.run(line)}`;
    });
    if (process.env["REWRITE"] === "1")
      writeFileSync(`${directory}/${file}`, `${actual.join("\n\n")}\n`);
    else assert.equal(`${actual.join("\n\n")}\n`, content);
  });
}
