/** What members ask each other over HTTP about the membership (http.md 6). */

import { utf8 } from "../../base/bytes.ts";
import { errLearnerNotReady, type EtcdError } from "../../base/etcd-errors.ts";
import type { Logger } from "../../base/log.ts";
import { clusterVersion, etcdVersion } from "../../base/version.ts";
import type { PeerReply, PeerService } from "../peer/peer-port.ts";
import type { Cluster } from "./cluster.ts";
import { encodeMembers, type Member } from "./member.ts";
import { errIdNotFound, errNotLearner, MembershipError } from "./member-error.ts";
import type { Membership } from "./membership.ts";
import { promotePath } from "./promote-forward.ts";
import { plainReply } from "../peer/plain-reply.ts";

export interface PeerServiceParts {
  readonly cluster: Cluster;
  readonly membership: Pick<Membership, "promote">;
  readonly log: Logger;
}

export function createMemberServices({
  cluster,
  membership,
  log,
}: PeerServiceParts): PeerService[] {
  return [
    {
      method: "GET",
      path: "/members",
      handle(_request, done) {
        done(membersReply(cluster.members()));
      },
    },
    {
      method: "POST",
      path: promotePath,
      handle({ path }, done) {
        const text = path.slice(promotePath.length);
        const id = parseId(text);
        if (id === null) {
          done(plainReply(404, `member ${text} not found in cluster`));
          return;
        }
        membership.promote(id, (error, members) => {
          if (error === null) {
            done(membersReply(members));
            return;
          }
          const reason = error instanceof MembershipError ? error.reason : error.message;
          log.warn("failed to promote a member", { "member-id": id.toString(16), error: reason });
          done(refusal(error, reason));
        });
      },
    },
    {
      method: "GET",
      path: "/version",
      handle(_request, done) {
        const cluster_ = cluster.version === "" ? "not_decided" : cluster.version;
        const page = { etcdserver: etcdVersion, etcdcluster: cluster_, storage: clusterVersion };
        done({ ...json, body: utf8(JSON.stringify(page)) });
      },
    },
    {
      method: "GET",
      path: "/downgrade/enabled",
      handle(_request, done) {
        const body = utf8(String(cluster.downgrade.isEnabled));
        done({ status: 200, contentType: "text/plain", body });
      },
    },
  ];
}

const json = { status: 200, contentType: "application/json" } as const;

function membersReply(members: readonly Member[]): PeerReply {
  return { ...json, body: utf8(`${encodeMembers(members)}\n`) };
}

function refusal(error: EtcdError, reason: string): PeerReply {
  if (error === errIdNotFound) return plainReply(404, reason);
  if (error === errNotLearner || error === errLearnerNotReady) return plainReply(412, reason);
  const body = utf8('{"message":"Internal Server Error"}');
  return { status: 500, contentType: "application/json", body };
}

/** A decimal uint64; null for anything else. */
function parseId(text: string): bigint | null {
  if (!/^\d{1,20}$/.test(text)) return null;
  const id = BigInt(text);
  return id < 2n ** 64n ? id : null;
}
