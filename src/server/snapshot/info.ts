import { BoltError } from "../../bbolt/format.ts";
import type { ImageHead } from "../backend/image.ts";
import { decodeMember } from "../member/member.ts";
import { parseConfState } from "../state.ts";
import type { SnapshotInfo } from "./snapshot.ts";

/** Throws {@link BoltError} on rows that are not what etcd writes. */
export function snapshotInfo(head: ImageHead): SnapshotInfo {
  const text = new TextDecoder("utf-8", { fatal: true });
  try {
    const { consistentIndex: index, term, revision, storageVersion } = head;
    return {
      metadata: { index, term, confState: parseConfState(head.confState) },
      revision,
      members: head.members.map((row) => decodeMember(text.decode(row))),
      removed: head.removed.map((id) => BigInt(`0x${text.decode(id)}`)),
      storageVersion: storageVersion === null ? "" : text.decode(storageVersion),
    };
  } catch (error) {
    throw new BoltError(`damaged member, configuration or version row: ${String(error)}`);
  }
}
