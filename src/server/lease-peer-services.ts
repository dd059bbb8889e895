/** What members ask the leader about leases (http.md 6). */

import { HeaderCodec } from "../codec/header.ts";
import {
  decodeLeaseId,
  decodeLeaseInternal,
  decodeLeaseTimeToLiveRequest,
  encodeLeaseAnswer,
  encodeLeaseInternal,
} from "../codec/lease.ts";
import { Writer } from "../codec/writer.ts";
import { leasePaths, type LeaseRouter } from "./cluster-leases.ts";
import type { PeerReply, PeerService } from "./peer/peer-port.ts";
import { plainReply } from "./peer/plain-reply.ts";

export interface LeasePeerParts {
  readonly leases: Pick<LeaseRouter, "renewHere" | "timeToLiveHere">;
  readonly ids: { readonly clusterId: bigint; readonly localId: bigint };
  readonly exists: (id: bigint) => boolean;
  readonly currentRevision: () => number;
  readonly raftTerm: () => number;
}

export function createLeasePeerServices(parts: LeasePeerParts): PeerService[] {
  const { leases, ids } = parts;
  const header = new HeaderCodec(ids.clusterId, ids.localId);
  return [
    {
      method: "POST",
      path: leasePaths.renew,
      handle({ body }, done) {
        const id = decoded(() => decodeLeaseId(body));
        if (id === null) {
          done(unreadable);
          return;
        }
        leases.renewHere(id, (error, ttl) => {
          if (error !== null) done(plainReply(400, error.message));
          else if (ttl === 0) done(notFound);
          else {
            const out = new Writer(64);
            // etcd's answer to a renewal over this path has no header.
            encodeLeaseAnswer(out, { id, ttl, grantedTtl: 0, keys: [] });
            done(protobuf(out.copy()));
          }
        });
      },
    },
    {
      method: "POST",
      path: leasePaths.internal,
      handle({ body }, done) {
        const request = decoded(() => {
          const inner = decodeLeaseInternal(body);
          return inner === null ? null : decodeLeaseTimeToLiveRequest(inner);
        });
        if (request === null) {
          done(unreadable);
          return;
        }
        const { id, keys } = request;
        leases.timeToLiveHere(id, keys, (error, answer) => {
          if (error !== null) done(plainReply(400, error.message));
          else if (!parts.exists(id)) done(notFound);
          else {
            const inner = new Writer(64);
            header.write(inner, parts.currentRevision(), parts.raftTerm());
            encodeLeaseAnswer(inner, answer);
            const out = new Writer(64);
            encodeLeaseInternal(out, inner.view());
            done(protobuf(out.copy()));
          }
        });
      },
    },
  ];
}

function decoded<T>(decode: () => T | null): T | null {
  try {
    return decode();
  } catch {
    return null;
  }
}

function protobuf(body: Uint8Array): PeerReply {
  return { status: 200, contentType: "application/protobuf", body };
}

const unreadable = plainReply(400, "error unmarshalling request");
const notFound = plainReply(404, "lease not found");
