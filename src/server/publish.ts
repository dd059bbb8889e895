/** What a member tells the cluster through the log when it starts. */

import { errStopped, type EtcdError } from "../base/etcd-errors.ts";
import type { Logger } from "../base/log.ts";
import { clusterVersion } from "../base/version.ts";
import { encodeClusterMemberAttrSet, encodeClusterVersionSet } from "../codec/membership.ts";
import type { Clock } from "../base/ports.ts";
import { requestField, type RequestField } from "./apply/fields.ts";
import type { Cluster } from "./member/cluster.ts";
import type { Proposer } from "./rpc/services.ts";

export interface PublishParts {
  readonly proposer: Proposer;
  readonly cluster: Cluster;
  readonly log: Logger;
  readonly clock: Clock;
  readonly name: string;
  readonly clientUrls: readonly string[];
  /** Both are known to the cluster: clients may be served. */
  readonly done: () => void;
}

/** Pause after a proposal that failed (no leader, overloaded, timed out). */
const retryMs = 500;

/**
 * Publishes name and client URLs, then the cluster version if there is none. What fails is tried
 * again until it succeeds or the member stops.
 */
export function publish(parts: PublishParts): void {
  const { cluster, log, name, clientUrls } = parts;
  const attributes = { memberId: cluster.localId, name, clientUrls };
  propose(parts, requestField.clusterMemberAttrSet, encodeClusterMemberAttrSet(attributes), () => {
    log.info("published local member to cluster through raft", {
      "local-member-id": cluster.localId.toString(16),
      "local-member-attributes": `{Name:${name} ClientURLs:[${clientUrls.join(" ")}]}`,
      "cluster-id": cluster.id.toString(16),
    });
    agreeOnVersion(parts);
  });
}

function agreeOnVersion(parts: PublishParts): void {
  const { cluster, log } = parts;
  const shown = clusterVersion.split(".").slice(0, 2).join(".");
  if (cluster.version === clusterVersion) {
    log.info("enabled capabilities for version", { "cluster-version": shown });
    parts.done();
    return;
  }
  log.info("setting up initial cluster version using v3 API", { "cluster-version": shown });
  propose(parts, requestField.clusterVersionSet, encodeClusterVersionSet(clusterVersion), () => {
    log.info("set initial cluster version", {
      "cluster-id": cluster.id.toString(16),
      "local-member-id": cluster.localId.toString(16),
      "cluster-version": shown,
    });
    log.info("enabled capabilities for version", { "cluster-version": shown });
    log.info("cluster version is updated", { "cluster-version": shown });
    parts.done();
  });
}

function propose(
  parts: PublishParts,
  field: RequestField,
  body: Uint8Array,
  applied: () => void,
): void {
  parts.proposer.propose(field, body, {
    applied,
    failed(error: EtcdError) {
      if (error === errStopped) return;
      parts.log.warn("failed to publish local member to cluster through raft", {
        error: error.message,
      });
      parts.clock.after(retryMs, () => {
        propose(parts, field, body, applied);
      });
    },
  });
}
