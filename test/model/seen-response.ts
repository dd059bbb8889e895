/** A watch response, as generated, in the terms of the watch rules. */
import { toBinaryString } from "../../src/base/bytes.ts";
import { Event_EventType } from "../../src/gen/kv_pb.js";
import type { WatchResponse } from "../../src/gen/rpc_pb.js";
import type { SeenResponse } from "./watch-rules.ts";

export function seenOf(response: WatchResponse): SeenResponse {
  const revision = Number(response.header?.revision ?? 0n);
  if (response.compactRevision !== 0n) {
    return { kind: "compacted", compactRevision: Number(response.compactRevision) };
  }
  if (response.canceled) return { kind: "canceled", revision };
  if (response.created) return { kind: "created", revision };
  if (response.events.length === 0) return { kind: "progress", revision };
  const events = response.events.map(({ type, kv, prevKv }) => ({
    revision: Number(kv!.modRevision),
    key: toBinaryString(kv!.key),
    isDelete: type === Event_EventType.DELETE,
    value: toBinaryString(kv!.value),
    prev: prevKv === undefined ? undefined : toBinaryString(prevKv.value),
  }));
  return { kind: "events", revision, events, fragment: response.fragment };
}
