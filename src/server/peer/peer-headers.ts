/** The headers members tell each other who they are with, and their checks (http.md 6). */
import type { Logger } from "../../base/log.ts";
import { etcdVersion } from "../../base/version.ts";
import type { PeerIdentity } from "./peer-options.ts";

/** The oldest cluster this version works in. */
const minClusterVersion = "3.0.0";
/** What a member that says no version is taken for. */
const versionDefault = "2.0.0";

export const incompatibleVersion = "incompatible version";
export const clusterIdMismatch = "cluster ID mismatch";

export function hex(id: bigint): string {
  return id.toString(16);
}

/** A uint64 in hex; null for anything else. */
export function parseHexId(text: string): bigint | null {
  if (!/^0*[0-9A-Fa-f]{1,16}$/.test(text)) return null;
  return BigInt(`0x${text}`);
}

export function requestHeaders(identity: PeerIdentity): Record<string, string> {
  const headers: Record<string, string> = {
    "X-Server-From": hex(identity.localId),
    "X-Server-Version": etcdVersion,
    "X-Min-Cluster-Version": minClusterVersion,
    "X-Etcd-Cluster-ID": hex(identity.clusterId),
  };
  if (identity.peerUrls.length > 0) headers["X-PeerURLs"] = identity.peerUrls.join(",");
  return headers;
}

/** The text of the refusal (412), or null when the sender is of our cluster and can work with us. */
export function checkSender(
  header: (name: string) => string,
  identity: PeerIdentity,
  log: Logger,
): string | null {
  const server = header("x-server-version") || versionDefault;
  const minCluster = header("x-min-cluster-version") || versionDefault;
  const fields = {
    "local-member-id": hex(identity.localId),
    "local-member-cluster-id": hex(identity.clusterId),
    "local-member-server-version": etcdVersion,
    "local-member-server-minimum-cluster-version": minClusterVersion,
    "remote-peer-server-name": header("x-server-from"),
    "remote-peer-server-version": server,
    "remote-peer-server-minimum-cluster-version": minCluster,
  };
  const error = versionProblem(server, minCluster);
  if (error !== null) {
    log.warn("failed version compatibility check", { ...fields, error });
    return incompatibleVersion;
  }
  const clusterId = header("x-etcd-cluster-id");
  if (clusterId !== hex(identity.clusterId)) {
    log.warn("request cluster ID mismatch", { ...fields, "remote-peer-cluster-id": clusterId });
    return clusterIdMismatch;
  }
  return null;
}

function versionProblem(server: string, minCluster: string): string | null {
  const theirs = majorMinor(server);
  const theirMin = majorMinor(minCluster);
  if (theirs === null || theirMin === null) return "remote version cannot be read";
  if (theirs < majorMinor(minClusterVersion)!) return "remote version is too low";
  return theirMin > majorMinor(etcdVersion)! ? "local version is too low" : null;
}

/** Comparable; null when the text is no version. */
function majorMinor(version: string): number | null {
  const parts = /^(\d{1,6})\.(\d{1,6})\.\d{1,6}(?:[-+].*)?$/.exec(version);
  return parts === null ? null : Number(parts[1]) * 1_000_000 + Number(parts[2]);
}

/** What an answer to a POST means; null: delivered. */
export interface PostProblem {
  readonly reason: string;
  /** The peer says that we were removed. */
  readonly isRemoved: boolean;
}

export function postProblem(status: number, body: Uint8Array): PostProblem | null {
  if (status === 204) return null;
  if (status === 403) return { reason: removedText, isRemoved: true };
  if (status === 412) return { reason: trimmed(body), isRemoved: false };
  return { reason: `unexpected http status ${status}`, isRemoved: false };
}

export const removedText = "the member has been permanently removed from the cluster";

export function trimmed(body: Uint8Array): string {
  return new TextDecoder().decode(body.subarray(0, shownBytesMax)).replace(/\n$/, "");
}

const shownBytesMax = 1_024;
