import { Reader } from "../../codec/reader.ts";

const tagSerializable = 0x38;

/**
 * Whether a learner answers this call, as etcd's learner: its status, a read of its own state, and
 * a snapshot of its database; everything else belongs to members that vote.
 * @throws DecodeError for a Range request that is malformed.
 */
export function isServedByLearner(path: string, bytes: Uint8Array): boolean {
  switch (path) {
    case "/etcdserverpb.Maintenance/Status":
    case "/etcdserverpb.Maintenance/Snapshot":
      return true;
    case "/etcdserverpb.KV/Range":
      return isSerializable(bytes);
    default:
      return false;
  }
}

function isSerializable(bytes: Uint8Array): boolean {
  const r = new Reader(bytes);
  let value = false;
  while (r.next()) {
    if (r.tag === tagSerializable) value = r.bool();
    else r.skip();
  }
  return value;
}
