/** What members ask each other to find data that differs: the hash of the store at a revision. */

import { utf8 } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";
import type { KvStore } from "./mvcc/store.ts";
import type { PeerService } from "./peer/peer-port.ts";
import { plainReply } from "./peer/plain-reply.ts";

export interface HashPeerParts {
  readonly store: Pick<KvStore, "hashKv" | "currentRevision">;
  readonly log: Logger;
}

export function createHashPeerService({ store, log }: HashPeerParts): PeerService {
  return {
    method: "GET",
    path: "/members/hashkv",
    handle({ body }, done) {
      const revision = decodeRevision(body);
      if (revision === null) {
        log.warn("failed to unmarshal request", { error: "no JSON object with a revision" });
        done(plainReply(400, "error unmarshalling request"));
        return;
      }
      store.hashKv(revision, (outcome) => {
        if ("code" in outcome) {
          const reason = outcome.message.replace("etcdserver: mvcc:", "mvcc:");
          log.warn("failed to get hashKV", { "requested-revision": revision, error: reason });
          done(plainReply(400, reason));
          return;
        }
        done({
          status: 200,
          contentType: "application/json",
          body: utf8(
            JSON.stringify({
              header: { revision: store.currentRevision },
              hash: outcome.hash,
              compact_revision: outcome.compactRevision,
              hash_revision: outcome.hashRevision,
            }),
          ),
        });
      });
    },
  };
}

/** 0, as in etcd, when the object names no revision; null for what is no JSON object. */
function decodeRevision(body: Uint8Array): number | null {
  try {
    const request: unknown = JSON.parse(new TextDecoder().decode(body));
    if (typeof request !== "object" || request === null || Array.isArray(request)) return null;
    const { revision } = request as { revision?: unknown };
    if (revision === undefined || revision === null) return 0;
    return Number.isSafeInteger(revision) ? (revision as number) : null;
  } catch {
    return null;
  }
}
