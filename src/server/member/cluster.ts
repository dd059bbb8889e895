// C1  The `members`, `members_removed` and `cluster` rows are the one source of truth; this object
//     is their picture in memory and every change writes through.
// C2  A removed id never comes back: not by a change, and not by a row that was left over.
// C3  What a change does depends on these rows and the change only: every member ends up equal.
// C4  There is always a voter.

import { assert, BugError } from "../../base/assert.ts";
import { emptyBytes, utf8 } from "../../base/bytes.ts";
import type { LogFields, Logger } from "../../base/log.ts";
import { confChangeType, type ConfChangeEntry } from "../../codec/conf-change.ts";
import type { View } from "../backend/backend.ts";
import type { RowWriter } from "../backend/rows.ts";
import { decodeMember, decodeMemberChange, encodeMember, type Member } from "./member.ts";
import {
  errIdExists,
  errIdNotFound,
  errIdRemoved,
  errLastVoter,
  errLearnersFull,
  errNotLearner,
  errPeerUrlTaken,
  type MembershipError,
} from "./member-error.ts";
import { clusterVersionText } from "./cluster-version.ts";

const clusterVersionKey = utf8("clusterVersion");
const downgradeKey = utf8("downgrade");
const removedMark = utf8("removed");

/** Told after the row was written, in the order of the log. */
export interface MembershipListener {
  added(member: Member): void;
  /** Also of the local member: it must stop. */
  removed(id: bigint): void;
  /** Its peer URLs are others now. */
  updated(member: Member): void;
  /** The cluster speaks another version now. */
  versionChanged(version: string): void;
}

export interface ClusterOptions {
  readonly log: Logger;
  /** --max-learners */
  readonly learnersMax: number;
}

/** A downgrade under way; `targetVersion` is empty if there is none. */
export interface DowngradeInfo {
  readonly targetVersion: string;
  readonly isEnabled: boolean;
}

const noDowngrade: DowngradeInfo = { targetVersion: "", isEnabled: false };

/** What the members agree on: who they are, and which version the cluster speaks. */
export class Cluster {
  readonly id: bigint;
  readonly localId: bigint;
  readonly learnersMax: number;
  readonly #rows: RowWriter;
  readonly #log: Logger;
  readonly #members = new Map<bigint, Member>();
  readonly #removed = new Set<bigint>();
  #isLocalLearner = false;
  #version = "";
  #downgrade: DowngradeInfo = noDowngrade;
  readonly #listeners: MembershipListener[] = [];

  constructor(
    ids: { clusterId: bigint; localId: bigint },
    rows: RowWriter,
    { log, learnersMax }: ClusterOptions,
  ) {
    this.id = ids.clusterId;
    this.localId = ids.localId;
    this.#rows = rows;
    this.#log = log;
    this.learnersMax = learnersMax;
  }

  /** Reads the rows of a restarted member, or those of an installed snapshot. Tells nobody. */
  load(view: View): void {
    const text = new TextDecoder();
    this.#members.clear();
    this.#removed.clear();
    view.range("members_removed", emptyBytes, null, (key) => {
      this.#removed.add(BigInt(`0x${text.decode(key)}`));
      return true;
    });
    const zombies: bigint[] = [];
    view.range("members", emptyBytes, null, (_key, value) => {
      const member = decodeMember(text.decode(value));
      if (this.#removed.has(member.id)) zombies.push(member.id);
      else this.#members.set(member.id, member);
      return true;
    });
    this.#isLocalLearner = this.#members.get(this.localId)?.isLearner ?? false;
    for (const id of zombies) {
      this.#log.warn("dropped the row of a removed member", { "member-id": id.toString(16) });
      this.#rows.delete("members", idKey(id)); // C2
    }
    const version = view.get("cluster", clusterVersionKey);
    this.#version = version === null ? "" : text.decode(version);
    const downgrade = view.get("cluster", downgradeKey);
    this.#downgrade = downgrade === null ? noDowngrade : decodeDowngrade(text.decode(downgrade));
    for (const member of this.members()) {
      this.#log.info("recovered/added member from store", {
        ...this.#ids(),
        "recovered-remote-peer-id": member.id.toString(16),
        "recovered-remote-peer-urls": member.peerUrls,
        "recovered-remote-peer-is-learner": member.isLearner,
      });
    }
    if (this.#version !== "") {
      const shown = clusterVersionText(this.#version);
      this.#log.info("set cluster version from store", { "cluster-version": shown });
    }
  }

  addListener(listener: MembershipListener): void {
    this.#listeners.push(listener);
  }

  /** Ascending by id, as etcd lists them. */
  members(): Member[] {
    return [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  }

  /** Ascending by id. */
  voters(): Member[] {
    return this.members().filter((member) => !member.isLearner);
  }

  member(id: bigint): Member | undefined {
    return this.#members.get(id);
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  /** Asked with every request: a field, kept with each change. */
  get isLocalLearner(): boolean {
    return this.#isLocalLearner;
  }

  /** For example "3.7.0"; "" until agreed. */
  get version(): string {
    return this.#version;
  }

  get downgrade(): DowngradeInfo {
    return this.#downgrade;
  }

  /**
   * Applies a committed ConfChange. Answers why it changed nothing, or null: in the first case
   * raft's configuration must not change either (C3).
   */
  apply(change: ConfChangeEntry): MembershipError | null {
    const refusal = this.#check(change);
    if (refusal !== null) {
      this.#log.error("Validation on configuration change failed", {
        shouldApplyV3: true,
        error: refusal.reason,
      });
      return refusal;
    }
    const { nodeId, type, context } = change;
    if (type === confChangeType.removeNode) {
      this.#remove(nodeId);
      return null;
    }
    const { member, isPromote } = decodeMemberChange(new TextDecoder().decode(context));
    assert(member.id === nodeId, () => `member ${member.id} in the change of ${nodeId}`);
    if (type === confChangeType.updateNode) this.#setPeerUrls(nodeId, member.peerUrls);
    else if (isPromote) this.#promote(nodeId);
    else this.#add(member);
    return null;
  }

  /** What a member published about itself; ignored for ids that are not members. */
  setAttributes(id: bigint, name: string, clientUrls: readonly string[]): void {
    const member = this.#members.get(id);
    if (member === undefined) {
      this.#log.warn("skipped attributes update of removed member", {
        ...this.#ids(),
        "updated-peer-id": id.toString(16),
      });
      return;
    }
    this.#store({ ...member, name, clientUrls });
  }

  setVersion(version: string): void {
    const from = this.#version;
    const to = clusterVersionText(version);
    if (from === "") {
      this.#log.info("set initial cluster version", { ...this.#ids(), "cluster-version": to });
    } else {
      const fields = { ...this.#ids(), from: clusterVersionText(from), to };
      this.#log.info("updated cluster version", fields);
    }
    this.#version = version;
    this.#rows.put("cluster", clusterVersionKey, utf8(version)); // C1
    this.#log.info("enabled capabilities for version", { "cluster-version": to });
    for (const listener of this.#listeners) listener.versionChanged(version);
  }

  setDowngrade(info: DowngradeInfo): void {
    this.#downgrade = info;
    const target = JSON.stringify(info.targetVersion);
    const row = `{"target-version":${target},"enabled":${info.isEnabled}}`;
    this.#rows.put("cluster", downgradeKey, utf8(row)); // C1
  }

  #check({ type, nodeId, context }: ConfChangeEntry): MembershipError | null {
    if (this.#removed.has(nodeId)) return errIdRemoved; // C2
    const known = this.#members.get(nodeId);
    const decode = (): ReturnType<typeof decodeMemberChange> =>
      decodeMemberChange(new TextDecoder().decode(context));
    switch (type) {
      case confChangeType.addNode:
      case confChangeType.addLearnerNode: {
        const { member, isPromote } = decode();
        if (isPromote) {
          if (known === undefined) return errIdNotFound;
          return known.isLearner ? null : errNotLearner;
        }
        if (known !== undefined) return errIdExists;
        if (this.#isTaken(member)) return errPeerUrlTaken;
        const isLearner = member.isLearner && type === confChangeType.addLearnerNode;
        return isLearner && this.learners + 1 > this.learnersMax ? errLearnersFull : null;
      }
      case confChangeType.removeNode:
        if (known === undefined) return errIdNotFound;
        return !known.isLearner && this.voters().length === 1 ? errLastVoter : null; // C4
      case confChangeType.updateNode:
        if (known === undefined) return errIdNotFound;
        return this.#isTaken(decode().member) ? errPeerUrlTaken : null;
      default:
        throw new BugError(`ConfChange of unknown type ${type}`);
    }
  }

  get learners(): number {
    return this.#members.size - this.voters().length;
  }

  /** Another member has one of these peer URLs. */
  #isTaken({ id, peerUrls }: Member): boolean {
    for (const other of this.#members.values()) {
      if (other.id !== id && other.peerUrls.some((url) => peerUrls.includes(url))) return true;
    }
    return false;
  }

  #add(member: Member): void {
    this.#store(member);
    this.#log.info("added member", {
      ...this.#ids(),
      "added-peer-id": member.id.toString(16),
      "added-peer-peer-urls": member.peerUrls,
      "added-peer-is-learner": member.isLearner,
    });
    for (const listener of this.#listeners) listener.added(member);
  }

  #remove(id: bigint): void {
    const member = this.#members.get(id)!;
    this.#members.delete(id);
    this.#removed.add(id);
    this.#rows.delete("members", idKey(id)); // C1
    this.#rows.put("members_removed", idKey(id), removedMark);
    this.#log.info("removed member", {
      ...this.#ids(),
      "removed-remote-peer-id": id.toString(16),
      "removed-remote-peer-urls": member.peerUrls,
      "removed-remote-peer-is-learner": member.isLearner,
    });
    for (const listener of this.#listeners) listener.removed(id);
  }

  #promote(id: bigint): void {
    this.#store({ ...this.#members.get(id)!, isLearner: false });
    const fields = { ...this.#ids(), "promoted-member-id": id.toString(16) };
    this.#log.info("promote member", fields);
  }

  /** Nothing but the URLs: the context says isLearner false whatever the member is. */
  #setPeerUrls(id: bigint, peerUrls: readonly string[]): void {
    const member = { ...this.#members.get(id)!, peerUrls };
    this.#store(member);
    this.#log.info("updated member", {
      ...this.#ids(),
      "updated-remote-peer-id": id.toString(16),
      "updated-remote-peer-urls": peerUrls,
      "updated-remote-peer-is-learner": member.isLearner,
    });
    for (const listener of this.#listeners) listener.updated(member);
  }

  #store(member: Member): void {
    this.#members.set(member.id, member);
    if (member.id === this.localId) this.#isLocalLearner = member.isLearner;
    this.#rows.put("members", idKey(member.id), utf8(encodeMember(member))); // C1
  }

  #ids(): LogFields {
    return {
      "cluster-id": this.id.toString(16),
      "local-member-id": this.localId.toString(16),
    };
  }
}

function decodeDowngrade(text: string): DowngradeInfo {
  const raw = JSON.parse(text) as Record<string, unknown>;
  const target = raw["target-version"];
  return {
    targetVersion: typeof target === "string" ? target : "",
    isEnabled: raw["enabled"] === true,
  };
}

function idKey(id: bigint): Uint8Array {
  return utf8(id.toString(16));
}
