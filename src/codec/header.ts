import { Writer } from "./writer.ts";

const tagHeader = 0x0a;
const tagRevision = 0x18;
const tagRaftTerm = 0x20;

/** etcdserverpb.ResponseHeader: the ids are encoded once, revision and term per answer. */
export class HeaderCodec {
  readonly #ids: Uint8Array;

  constructor(clusterId: bigint, memberId: bigint) {
    const out = new Writer(32);
    if (clusterId !== 0n) {
      out.byte(0x08);
      out.bigVarint(clusterId);
    }
    if (memberId !== 0n) {
      out.byte(0x10);
      out.bigVarint(memberId);
    }
    this.#ids = out.copy();
  }

  /** Writes the header as field 1 of an answer; a revision of 0 is left out. */
  write(out: Writer, revision: number, raftTerm: number): void {
    const mark = out.beginNested(tagHeader);
    out.raw(this.#ids);
    if (revision !== 0) {
      out.byte(tagRevision);
      out.int64(revision);
    }
    if (raftTerm !== 0) {
      out.byte(tagRaftTerm);
      out.varint(raftTerm);
    }
    out.endNested(mark);
  }
}
