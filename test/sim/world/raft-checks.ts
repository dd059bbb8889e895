/**
 * What must hold of raft in the logs of all members and in what they tell each other, over all
 * their lives.
 *
 * CK6  Where logs may agree is found by terms: a refusal names no entry of a later term than the
 *      one it refuses, and the next attempt no entry of a later term than the refusal names.
 * CK7  A member votes once in a term, for a log that is not behind its own. It comes back with no
 *      earlier term than it told, and with the vote it gave.
 * CK8  What a member acknowledged to a leader stays while that term lasts. What comes from an
 *      earlier term changes nothing.
 * CK9  Entries of the same index and term are equal, and so is all before them.
 * CK11 A read index is not below what any member knew to be committed when it was asked for.
 */

import { MessageType, type Message } from "../../../src/raft/message.ts";
import { RawNode, type Ready } from "../../../src/raft/raw-node.ts";
import type { Entry, RaftId } from "../../../src/raft/types.ts";

/** What a member told others: it must not come back behind that. */
interface Promised {
  term: number;
  votedTerm: number;
  vote: RaftId;
  ackedTerm: number;
  acked: number;
}

/** The terms of the entries that a node handed out in its life, from `first` on. */
interface OwnLog {
  readonly id: RaftId;
  first: number;
  terms: number[];
  /** By the context of a read: what was committed when it was asked for. */
  readonly reads: Map<number, number>;
}

interface Known {
  readonly term: number;
  readonly hash: number;
  /** The term of the entry before it; -1: not known. */
  before: number;
}

export class RaftChecks {
  /** How far each member's log is on its disk. */
  readonly synced = new Map<RaftId, number>();
  readonly #promised = new Map<RaftId, Promised>();
  readonly #logs = new WeakMap<RawNode, OwnLog>();
  /** All entries that ever were in a log, by index. */
  readonly #known: (Known[] | undefined)[] = [];
  /** The newest index that some member knew to be committed. */
  #commit = 0;
  /** A wrong attempt, if it is made: a leader that knows too little sends a snapshot instead. */
  #suspicion: { readonly to: RaftId; readonly index: number; readonly text: string } | null = null;
  readonly #fail: (text: string) => void;

  constructor(fail: (text: string) => void) {
    this.#fail = fail;
  }

  /** Watches all raft nodes until the answer is called. */
  install(): () => void {
    const { synced, step, ready, readIndex } = replaceable;
    const stepped = this.#stepped.bind(this);
    const taken = this.#taken.bind(this);
    const asked = this.#asked.bind(this);
    const { synced: indexes } = this;
    replaceable.synced = function (this: RawNode, number) {
      synced.call(this, number);
      const { id, syncedIndex } = this.status();
      indexes.set(id, syncedIndex);
    };
    replaceable.step = function (this: RawNode, message) {
      stepped(this, message, step);
    };
    replaceable.ready = function (this: RawNode) {
      const answer = ready.call(this);
      taken(this, answer);
      return answer;
    };
    replaceable.readIndex = function (this: RawNode, context) {
      asked(this, context);
      return readIndex.call(this, context);
    };
    return () => {
      Object.assign(replaceable, { synced, step, ready, readIndex });
    };
  }

  /** CK7: what leaves a member is a promise if it waited for the disk. */
  sent({ type, from, to, term, index, reject }: Message): void {
    if (type === MessageType.vote) this.#voted(from, term, from);
    else if (reject) return;
    else if (type === MessageType.voteResponse) this.#voted(from, term, to);
    else if (type === MessageType.appendResponse && index > 0) {
      const promised = this.#promise(from, term);
      if (promised.ackedTerm === term) promised.acked = Math.max(promised.acked, index);
      else Object.assign(promised, { ackedTerm: term, acked: index });
    }
  }

  #voted(id: RaftId, term: number, vote: RaftId): void {
    const promised = this.#promise(id, term);
    if (promised.votedTerm === term && promised.vote !== vote) {
      const both = `${nameOf(promised.vote)} and ${nameOf(vote)}`;
      this.#fail(`CK7: ${nameOf(id)} votes in term ${term} for ${both}`);
    }
    promised.votedTerm = term;
    promised.vote = vote;
  }

  #promise(id: RaftId, term: number): Promised {
    let promised = this.#promised.get(id);
    if (promised === undefined) {
      promised = { term, votedTerm: 0, vote: 0n, ackedTerm: 0, acked: 0 };
      this.#promised.set(id, promised);
    }
    if (term < promised.term) {
      this.#fail(`CK7: ${nameOf(id)} promises in term ${term} after term ${promised.term}`);
    }
    promised.term = term;
    return promised;
  }

  #logOf(node: RawNode): OwnLog {
    let log = this.#logs.get(node);
    if (log === undefined) {
      log = this.#cameBack(node);
      this.#logs.set(node, log);
    }
    return log;
  }

  /** CK7 */
  #cameBack(node: RawNode): OwnLog {
    const { id, term, vote } = node.status();
    const promised = this.#promised.get(id);
    if (promised !== undefined && term < promised.term) {
      this.#fail(`CK7: ${nameOf(id)} comes back in term ${term}, was in ${promised.term}`);
    }
    if (promised?.votedTerm === term && vote !== promised.vote) {
      const both = `${nameOf(vote)}, not for ${nameOf(promised.vote)}`;
      this.#fail(`CK7: ${nameOf(id)} comes back in term ${term} with a vote for ${both}`);
    }
    return { id, first: 0, terms: [], reads: new Map() };
  }

  #stepped(node: RawNode, message: Message, step: typeof replaceable.step): void {
    const log = this.#logOf(node);
    const { type, term, reject, logTerm } = message;
    if (term > 0 && term < node.term) this.#stepOld(node, message, step);
    else if (type === MessageType.appendResponse && reject && logTerm > 0) {
      this.#stepRefusal(node, log, message, step);
    } else if (type === MessageType.vote) this.#stepVote(node, log, message, step);
    else step.call(node, message);
  }

  /** CK8 */
  #stepOld(node: RawNode, message: Message, step: typeof replaceable.step): void {
    const before = node.status();
    step.call(node, message);
    const after = node.status();
    for (const name of ["role", "leader", "term", "vote", "commit", "lastIndex"] as const) {
      if (before[name] === after[name]) continue;
      const what = `message ${message.type} of term ${message.term}`;
      this.#fail(`CK8: ${what} changes ${name} of ${nameOf(after.id)} in term ${before.term}`);
    }
  }

  /** CK7 */
  #stepVote(node: RawNode, log: OwnLog, message: Message, step: typeof replaceable.step): void {
    const before = node.status();
    step.call(node, message);
    const { vote, term } = node.status();
    const isOld = before.term === term && before.vote === vote;
    if (vote !== message.from || isOld) return;
    const { index, logTerm } = message;
    const lastTerm = this.#termOf(log, before.lastIndex);
    if (lastTerm === null || logTerm > lastTerm) return;
    if (logTerm === lastTerm && index >= before.lastIndex) return;
    const own = `its own to ${before.lastIndex} of term ${lastTerm}`;
    this.#fail(`CK7: ${nameOf(log.id)} votes for a log to ${index} of term ${logTerm}, ${own}`);
  }

  /** What a node had before its start is known if all have the same there. */
  #termOf(log: OwnLog, index: number): number | null {
    const all = this.#known[index] ?? [];
    return termAt(log, index) ?? (all.length === 1 ? all[0]!.term : null);
  }

  #asked(node: RawNode, context: number): void {
    this.#logOf(node).reads.set(context, this.#commit);
  }

  /** CK11 */
  #read(log: OwnLog, context: number, index: number): void {
    const commit = log.reads.get(context);
    log.reads.delete(context);
    if (commit === undefined || index >= commit) return;
    this.#fail(`CK11: ${nameOf(log.id)} reads at ${index}, ${commit} was committed before`);
  }

  /** CK6 */
  #stepRefusal(node: RawNode, log: OwnLog, message: Message, step: typeof replaceable.step): void {
    const progressOf = (): ReturnType<RawNode["progress"]>[number] | undefined =>
      node.progress().find(({ id }) => id === message.from);
    const before = progressOf();
    const { term } = node;
    step.call(node, message);
    const after = progressOf();
    if (before === undefined || after === undefined || node.term !== term) return;
    const who = `${nameOf(message.from)} (led by ${nameOf(log.id)})`;
    const { index, rejectHint, logTerm } = message;
    const refused = termAt(log, index);
    if (refused !== null && logTerm > refused) {
      this.#fail(`CK6: ${who} refuses ${index} of term ${refused}, names term ${logTerm}`);
    }
    const isAsked = before.state === "probe" && before.next - 1 === index;
    const next = after.next - 1;
    const nextTerm = termAt(log, next);
    if (!isAsked || next <= after.match || nextTerm === null || nextTerm <= logTerm) return;
    const what = `term ${logTerm} at ${rejectHint} named`;
    const text = `CK6: ${who} is asked for ${next} of term ${nextTerm}, ${what}`;
    this.#suspicion = { to: message.from, index: next, text };
  }

  #taken(node: RawNode, { snapshot, entries, messages, readStates }: Ready): void {
    const log = this.#logOf(node);
    this.#commit = Math.max(this.#commit, node.commit);
    for (const { context, index } of readStates) this.#read(log, context, index);
    if (this.#suspicion !== null) {
      const { to, index, text } = this.#suspicion;
      const isAsked = messages.some((m) => isAppend(m) && m.to === to && m.index === index);
      if (isAsked) this.#fail(text);
      this.#suspicion = null;
    }
    if (snapshot !== null) Object.assign(log, { first: snapshot.index, terms: [snapshot.term] });
    if (entries.length === 0) return;
    const first = entries[0]!.index;
    const promised = this.#promised.get(log.id);
    if (promised?.ackedTerm === node.term && first <= promised.acked) {
      const what = `entry ${first}, acknowledged up to ${promised.acked} in term ${node.term}`;
      this.#fail(`CK8: ${nameOf(log.id)} replaces ${what}`);
    }
    if (first < log.first || first > log.first + log.terms.length) {
      log.first = first;
      log.terms = [];
    }
    log.terms.length = first - log.first;
    for (const entry of entries) {
      const before = log.terms.at(-1) ?? -1;
      this.#entry(log.id, entry, before);
      log.terms.push(entry.term);
    }
  }

  /** CK9: with each entry the one before it; by induction all before it. */
  #entry(id: RaftId, { index, term, data }: Entry, before: number): void {
    const same = (this.#known[index] ??= []);
    const hash = sampleOf(data);
    const known = same.find((other) => other.term === term);
    if (known === undefined) {
      same.push({ term, hash, before });
      return;
    }
    if (known.before === -1) known.before = before;
    if (known.hash === hash && (before === -1 || before === known.before)) return;
    const what = known.hash === hash ? `follows terms ${known.before} and ${before}` : "differs";
    this.#fail(`CK9: entry ${index} of term ${term} ${what}, on ${nameOf(id)}`);
  }
}

function isAppend(message: Message): boolean {
  return message.type === MessageType.append;
}

function termAt({ first, terms }: OwnLog, index: number): number | null {
  return terms[index - first] ?? null;
}

/** Long data is compared in part: CK2 compares all of it when it is applied. */
function sampleOf(data: Uint8Array): number {
  let hash = data.length;
  const end = Math.min(data.length, sampleBytes);
  for (let i = 0; i < end; i++) hash = Math.imul(hash ^ data[i]!, 0x01000193);
  return hash;
}

function nameOf(id: RaftId): string {
  return id.toString(16).slice(0, 4);
}

const sampleBytes = 64;
const replaceable: {
  synced: (this: RawNode, number: number) => void;
  step: (this: RawNode, message: Message) => void;
  ready: (this: RawNode) => Ready;
  readIndex: (this: RawNode, context: number) => boolean;
} = RawNode.prototype;
