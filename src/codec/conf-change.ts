/** raftpb.ConfChange (v1), the only membership entry that etcd 3.7 applies. */

import { emptyBytes } from "../base/bytes.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

export const confChangeType = {
  addNode: 0,
  removeNode: 1,
  updateNode: 2,
  addLearnerNode: 3,
} as const;

export interface ConfChangeEntry {
  /** The request id its proposer waits on. */
  readonly id: bigint;
  /** One of {@link confChangeType}. */
  readonly type: number;
  readonly nodeId: bigint;
  /** etcd's JSON of the member. */
  readonly context: Uint8Array;
}

/** proto2 as Go 3.7 writes it: id, type and node id always, the context when there is one. */
export function encodeConfChange(change: ConfChangeEntry): Uint8Array {
  const out = new Writer(64 + change.context.length);
  out.byte(0x08);
  out.bigVarint(change.id);
  out.byte(0x10);
  out.varint(change.type);
  out.byte(0x18);
  out.bigVarint(change.nodeId);
  if (change.context.length > 0) out.bytesField(0x22, change.context);
  return out.copy();
}

export function decodeConfChange(bytes: Uint8Array): ConfChangeEntry {
  let id = 0n;
  let type = 0;
  let nodeId = 0n;
  let context: Uint8Array = emptyBytes;
  const r = new Reader(bytes);
  while (r.next()) {
    switch (r.tag) {
      case 0x08:
        id = r.bigUint64();
        break;
      case 0x10:
        type = r.int32();
        break;
      case 0x18:
        nodeId = r.bigUint64();
        break;
      case 0x22:
        context = r.bytes();
        break;
      default:
        r.skip();
    }
  }
  return { id, type, nodeId, context };
}
