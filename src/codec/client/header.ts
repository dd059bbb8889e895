/** etcdserverpb.ResponseHeader. */
import type { Reader } from "../reader.ts";
import type { Header } from "./results.ts";

/** Of an answer without one: those inside a transaction's answer. */
export const emptyHeader: Header = Object.freeze({
  clusterId: 0n,
  memberId: 0n,
  revision: 0,
  raftTerm: 0,
});

/** Reads the rest of `r` as a header. */
export function readHeader(r: Reader): Header {
  let clusterId = 0n;
  let memberId = 0n;
  let revision = 0;
  let raftTerm = 0;
  while (r.next()) {
    switch (r.tag) {
      case 0x08:
        clusterId = r.bigUint64();
        break;
      case 0x10:
        memberId = r.bigUint64();
        break;
      case 0x18:
        revision = r.int64();
        break;
      case 0x20:
        raftTerm = r.uint64();
        break;
      default:
        r.skip();
    }
  }
  return { clusterId, memberId, revision, raftTerm };
}
