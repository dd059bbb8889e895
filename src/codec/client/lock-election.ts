/** Messages of the Lock and Election services. */
import { readKeyValue } from "./key-value.ts";
import { emptyHeader, readHeader } from "./header.ts";
import { Reader } from "../reader.ts";
import type { Header, KeyValue } from "./results.ts";
import { bytes, header, int64, leaseId, Message, nested, optional } from "./schema.ts";

export interface LockRequest {
  readonly name: Uint8Array;
  readonly lease: bigint;
}

export interface LockResult {
  readonly header: Header;
  /** Owns the lock as long as it is there: for unlock, and to compare in transactions. */
  readonly key: Uint8Array;
}

/** Proof of an election that was won: for proclaim and resign. */
export interface LeaderKey {
  readonly name: Uint8Array;
  readonly key: Uint8Array;
  /** Create revision of the key: grows from leader to leader. */
  readonly revision: number;
  readonly lease: bigint;
}

export interface CampaignRequest extends LockRequest {
  readonly value: Uint8Array;
}

export interface CampaignResult {
  readonly header: Header;
  readonly leader: LeaderKey;
}

export interface ProclaimRequest {
  readonly leader: LeaderKey | null;
  readonly value: Uint8Array;
}

export interface LeaderResult {
  readonly header: Header;
  readonly kv: KeyValue | null;
}

export const lockRequest = new Message<LockRequest>({ name: bytes(1), lease: leaseId(2) });

export const lockResponse = new Message<LockResult>({ header, key: bytes(2) });

export const unlockRequest = new Message<{ readonly key: Uint8Array }>({ key: bytes(1) });

const leaderKey = new Message<LeaderKey>({
  name: bytes(1),
  key: bytes(2),
  revision: int64(3),
  lease: leaseId(4),
});

export const campaignRequest = new Message<CampaignRequest>({
  name: bytes(1),
  lease: leaseId(2),
  value: bytes(3),
});

export const campaignResponse = new Message<CampaignResult>({
  header,
  leader: nested(2, leaderKey),
});

export const proclaimRequest = new Message<ProclaimRequest>({
  leader: optional(1, leaderKey),
  value: bytes(2),
});

export const leaderRequest = new Message<{ readonly name: Uint8Array }>({ name: bytes(1) });

export const resignRequest = new Message<{ readonly leader: LeaderKey | null }>({
  leader: optional(1, leaderKey),
});

export function decodeLeaderResult(answer: Uint8Array): LeaderResult {
  const r = new Reader(answer);
  let kv: KeyValue | null = null;
  let head = emptyHeader;
  while (r.next()) {
    if (r.tag === 0x0a) head = readHeader(r.nested());
    else if (r.tag === 0x12) kv = readKeyValue(r.nested());
    else r.skip();
  }
  return { header: head, kv };
}
