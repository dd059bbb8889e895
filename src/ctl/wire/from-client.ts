/** Results of the client's areas as messages: where they arrive in pieces or over long streams. */
import type { Header, KeyValue, WatchEvent } from "../../client/types.ts";
import type { EventMessage, KeyValueMessage, ResponseHeader } from "./schemas.ts";

export function headerMessage(header: Header): ResponseHeader {
  return {
    cluster_id: header.clusterId,
    member_id: header.memberId,
    revision: BigInt(header.revision),
    raft_term: BigInt(header.raftTerm),
  };
}

export function keyValueMessage(kv: KeyValue): KeyValueMessage {
  return {
    key: kv.key,
    create_revision: BigInt(kv.createRevision),
    mod_revision: BigInt(kv.modRevision),
    version: BigInt(kv.version),
    value: kv.value,
    lease: kv.lease,
  };
}

export function eventMessage(event: WatchEvent): EventMessage {
  return {
    type: event.type === "put" ? 0 : 1,
    kv: keyValueMessage(event.kv),
    prev_kv: event.prevKv === null ? null : keyValueMessage(event.prevKv),
  };
}
