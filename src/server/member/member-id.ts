import { compare, concat, utf8 } from "../../base/bytes.ts";

/** SHA-1 of the bytes (20 bytes). A port: the hash lives outside the core. */
export type Sha1 = (bytes: Uint8Array) => Uint8Array;

export interface MemberIdInput {
  readonly peerUrls: readonly string[];
  readonly clusterToken: string;
  /** Unix seconds, for members added at run time; absent for those of the initial cluster. */
  readonly addedAtSeconds?: number;
}

/**
 * etcd's member id: the first 8 bytes of SHA-1 over sorted peer URLs, token and time (semantics.md
 * 10).
 */
export function memberId(input: MemberIdInput, sha1: Sha1): bigint {
  const urls = input.peerUrls.map(utf8).sort(compare);
  const time = input.addedAtSeconds === undefined ? "" : String(input.addedAtSeconds);
  return firstUint64(sha1(concat([...urls, utf8(input.clusterToken), utf8(time)])));
}

/** etcd's cluster id: the same over the members' ids, ascending, big endian. */
export function clusterId(memberIds: readonly bigint[], sha1: Sha1): bigint {
  const sorted = [...memberIds].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const bytes = new Uint8Array(sorted.length * 8);
  const view = new DataView(bytes.buffer);
  sorted.forEach((id, i) => {
    view.setBigUint64(i * 8, id);
  });
  return firstUint64(sha1(bytes));
}

function firstUint64(digest: Uint8Array): bigint {
  return new DataView(digest.buffer, digest.byteOffset, digest.byteLength).getBigUint64(0);
}
