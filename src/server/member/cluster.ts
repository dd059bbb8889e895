// C1  The `members`, `members_removed` and `cluster` rows are the one source of truth; this object
//     is their picture in memory and every change writes through.
// C2  A removed id never comes back.

import { emptyBytes, utf8 } from "../../base/bytes.ts";
import type { View } from "../backend/backend.ts";
import type { RowWriter } from "../backend/rows.ts";
import { decodeMember, encodeMember, type Member } from "./member.ts";

const clusterVersionKey = utf8("clusterVersion");
const removedMark = utf8("removed");

/** What the members agree on: who they are, and which version the cluster speaks. */
export class Cluster {
  readonly id: bigint;
  readonly localId: bigint;
  readonly #rows: RowWriter;
  readonly #members = new Map<bigint, Member>();
  readonly #removed = new Set<bigint>();
  #version = "";

  constructor(ids: { clusterId: bigint; localId: bigint }, rows: RowWriter) {
    this.id = ids.clusterId;
    this.localId = ids.localId;
    this.#rows = rows;
  }

  /** Reads the rows of a restarted member. */
  load(view: View): void {
    const text = new TextDecoder();
    view.range("members", emptyBytes, null, (_key, value) => {
      const member = decodeMember(text.decode(value));
      this.#members.set(member.id, member);
      return true;
    });
    view.range("members_removed", emptyBytes, null, (key) => {
      this.#removed.add(BigInt(`0x${text.decode(key)}`));
      return true;
    });
    const version = view.get("cluster", clusterVersionKey);
    if (version !== null) this.#version = text.decode(version);
  }

  /** Ascending by id, as etcd lists them. */
  members(): Member[] {
    return [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  }

  member(id: bigint): Member | undefined {
    return this.#members.get(id);
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  /** For example "3.7.0"; "" until agreed. */
  get version(): string {
    return this.#version;
  }

  add(member: Member): void {
    if (this.#removed.has(member.id)) return; // C2
    this.#store(member);
  }

  remove(id: bigint): void {
    if (!this.#members.delete(id)) return;
    this.#removed.add(id);
    this.#rows.delete("members", idKey(id));
    this.#rows.put("members_removed", idKey(id), removedMark);
  }

  /** What a member published about itself; ignored for ids that are not members. */
  setAttributes(id: bigint, name: string, clientUrls: readonly string[]): void {
    const member = this.#members.get(id);
    if (member !== undefined) this.#store({ ...member, name, clientUrls });
  }

  setPeerUrls(id: bigint, peerUrls: readonly string[]): void {
    const member = this.#members.get(id);
    if (member !== undefined) this.#store({ ...member, peerUrls });
  }

  setVersion(version: string): void {
    this.#version = version;
    this.#rows.put("cluster", clusterVersionKey, utf8(version));
  }

  #store(member: Member): void {
    this.#members.set(member.id, member);
    this.#rows.put("members", idKey(member.id), utf8(encodeMember(member))); // C1
  }
}

function idKey(id: bigint): Uint8Array {
  return utf8(id.toString(16));
}
