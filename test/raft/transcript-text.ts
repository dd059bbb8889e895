import { ConfChangeTransition, type ConfChangeV2 } from "../../src/raft/conf-change.ts";
import {
  ConfChangeType,
  MessageType,
  type ConfChange,
  type Message,
} from "../../src/raft/message.ts";
import type { Ready } from "../../src/raft/raw-node.ts";
import type { ConfState, Entry } from "../../src/raft/types.ts";

const changeTypes: Record<string, ConfChange["type"]> = {
  v: ConfChangeType.addNode,
  l: ConfChangeType.addLearner,
  r: ConfChangeType.removeNode,
  u: ConfChangeType.updateNode,
};

const transitions: Record<string, ConfChangeV2["transition"]> = {
  auto: ConfChangeTransition.auto,
  implicit: ConfChangeTransition.jointImplicit,
  explicit: ConfChangeTransition.jointExplicit,
};

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** "v4": one change of the first kind. */
export function parseChange(word: string): ConfChange {
  const type = changeTypes[word[0]!];
  if (type === undefined) throw new Error(`unknown change ${word}`);
  return { type, nodeId: BigInt(word.slice(1)) };
}

/** What a change entry's data means: "v4", or "explicit v4 r1", or nothing to leave a joint state. */
export function parseEntry(entry: Entry): ConfChange | ConfChangeV2 {
  const words = new TextDecoder().decode(entry.data).split(" ");
  if (entry.type === 1) return parseChange(words[0]!);
  if (entry.data.length === 0) return { transition: 0, changes: [] };
  return { transition: transitions[words[0]!]!, changes: words.slice(1).map(parseChange) };
}

export function showEntry(entry: Entry): string {
  const kind = ["", "change ", "change-v2 "][entry.type];
  return `${entry.term}/${entry.index} ${kind}${showData(entry.data)}`;
}

function showData(data: Uint8Array): string {
  if (data.length > 40) return `${data.length} bytes`;
  const isText = data.every((byte) => byte >= 32 && byte < 127);
  return isText ? `"${new TextDecoder().decode(data)}"` : Buffer.from(data).toString("hex");
}

export function showConf(conf: ConfState): string {
  const sets = [`voters=(${conf.voters.join(" ")})`];
  if (conf.votersOutgoing.length > 0) sets.push(`outgoing=(${conf.votersOutgoing.join(" ")})`);
  if (conf.learners.length > 0) sets.push(`learners=(${conf.learners.join(" ")})`);
  if (conf.learnersNext.length > 0) sets.push(`learners-next=(${conf.learnersNext.join(" ")})`);
  if (conf.autoLeave) sets.push("auto-leave");
  return sets.join(" ");
}

function showContext(context: Uint8Array): string {
  return context.length === 0 ? "" : ` context=${showData(context)}`;
}

const names = new Map<number, string>(
  Object.entries(MessageType).map(([name, type]) => [type, name]),
);

export function showMessage(m: Message): string {
  const head = `${m.from}->${m.to} ${names.get(m.type) ?? `type ${m.type}`} term=${m.term}`;
  const entries = m.entries.map(showEntry).join(", ");
  const end = showContext(m.context);
  switch (m.type) {
    case MessageType.append:
      return `${head} prev=${m.logTerm}/${m.index} commit=${m.commit} entries=[${entries}]${end}`;
    case MessageType.appendResponse:
      if (!m.reject) return `${head} index=${m.index}${end}`;
      return `${head} refused=${m.index} hint=${m.logTerm}/${m.rejectHint}${end}`;
    case MessageType.vote:
    case MessageType.preVote:
      return `${head} last=${m.logTerm}/${m.index}${end}`;
    case MessageType.voteResponse:
    case MessageType.preVoteResponse:
      return `${head} ${m.reject ? "refused" : "granted"}${end}`;
    case MessageType.heartbeat:
      return `${head} commit=${m.commit}${end}`;
    case MessageType.snapshot: {
      const { index, term, confState } = m.snapshot!.metadata;
      return `${head} snapshot=${term}/${index} ${showConf(confState)}${end}`;
    }
    case MessageType.readIndexResponse:
      return `${head} index=${m.index}${entries === "" ? "" : ` entries=[${entries}]`}${end}`;
    default:
      return head + (entries === "" ? "" : ` entries=[${entries}]`) + end;
  }
}

/** A Ready's contents, a line each. */
export function showReady(ready: Ready): string[] {
  const lines: string[] = [];
  const { softState, hardState, snapshot } = ready;
  if (softState !== null) lines.push(`role ${softState.role} leader=${softState.leader}`);
  if (hardState !== null) {
    lines.push(`hard term=${hardState.term} vote=${hardState.vote} commit=${hardState.commit}`);
  }
  if (snapshot !== null) {
    lines.push(`install ${snapshot.term}/${snapshot.index} ${showConf(snapshot.confState)}`);
  }
  lines.push(...ready.entries.map((entry) => `write ${showEntry(entry)}`));
  lines.push(...ready.messages.map((message) => `send ${showMessage(message)}`));
  lines.push(...ready.messagesAfterSync.map((message) => `after sync ${showMessage(message)}`));
  lines.push(...ready.readStates.map((read) => `read ${read.context} at ${read.index}`));
  lines.push(...ready.committedEntries.map((entry) => `apply ${showEntry(entry)}`));
  return lines.map((line) => `  ${line}`);
}
