/** What a member without data asks the cluster's members before it starts. */

import type { Logger } from "../base/log.ts";
import type { Done } from "../base/ports.ts";
import { clusterVersion } from "../base/version.ts";
import {
  clusterVersionMin,
  compareVersions,
  parseVersion,
  type Version,
} from "./member/cluster-version.ts";
import { decodeMembers, type Member } from "./member/member.ts";

export interface HttpAnswer {
  readonly status: number;
  /** The X-Etcd-Cluster-ID header; "" without one. */
  readonly clusterId: string;
  readonly body: Uint8Array;
}

/** One GET, redirects not followed. Fails without an answer within `timeoutMs`. */
export type HttpGet = (url: string, timeoutMs: number, done: Done<HttpAnswer>) => void;

/** The members as one of them lists them. */
export interface RemoteCluster {
  readonly clusterId: bigint;
  /** Ascending by id, never empty. */
  readonly members: readonly Member[];
}

export interface FetchParts {
  readonly get: HttpGet;
  readonly log: Pick<Logger, "warn">;
  readonly timeoutMs: number;
}

/** `/members` of the first URL that answers it. */
export function fetchCluster(
  parts: FetchParts,
  urls: readonly string[],
  done: (error: Error | null, cluster: RemoteCluster | null) => void,
): void {
  firstOf<string, RemoteCluster>(
    urls,
    (url, next) => {
      const address = `${url}/members`;
      parts.get(address, parts.timeoutMs, (error, answer) => {
        if (error !== null) {
          parts.log.warn("failed to get cluster response", { address, error: error.message });
          next(null);
        } else next(readCluster(parts.log, address, answer));
      });
    },
    (cluster) => {
      if (cluster === null) {
        done(new Error("could not retrieve cluster information from the given URLs"), null);
      } else if (cluster.members.length === 0) {
        done(new Error("failed to get raft cluster member(s) from the given URLs"), null);
      } else done(null, cluster);
    },
  );
}

function readCluster(
  log: FetchParts["log"],
  address: string,
  answer: HttpAnswer,
): RemoteCluster | null {
  let members: Member[];
  try {
    members = decodeMembers(new TextDecoder().decode(answer.body));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn("failed to unmarshal cluster response", { address, error: reason });
    return null;
  }
  if (!/^[0-9a-fA-F]{1,16}$/.test(answer.clusterId)) {
    log.warn("failed to parse cluster ID", { address, header: answer.clusterId });
    return null;
  }
  members.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  return { clusterId: BigInt(`0x${answer.clusterId}`), members };
}

/**
 * Whether this version may join: some member speaks a version that it knows, and none another one.
 */
export function checkVersions(
  parts: FetchParts,
  others: readonly Member[],
  done: (isCompatible: boolean) => void,
): void {
  askAll<Member, Version | null>(
    others,
    (member, next) => {
      firstBody(parts, member, "/version", (body) => {
        next(body === null ? null : clusterVersionIn(body));
      });
    },
    (versions) => {
      firstOf(
        others,
        (member, next) => {
          firstBody(parts, member, "/downgrade/enabled", (body) => {
            next(body === "true" ? true : body === "false" ? false : null);
          });
        },
        (isDowngrade) => {
          const bounds = versionBounds(isDowngrade === true);
          done(isWithin(parts.log, others, versions, bounds));
        },
      );
    },
  );
}

interface VersionBounds {
  readonly min: Version;
  readonly max: Version;
}

/** During a downgrade the cluster still speaks the next version. */
function versionBounds(isDowngrade: boolean): VersionBounds {
  const own = parseVersion(clusterVersion)!;
  if (!isDowngrade) return { min: parseVersion(clusterVersionMin)!, max: own };
  const next = { ...own, minor: own.minor + 1 };
  return { min: next, max: next };
}

function isWithin(
  log: FetchParts["log"],
  others: readonly Member[],
  versions: readonly (Version | null)[],
  { min, max }: VersionBounds,
): boolean {
  let isKnown = false;
  for (const [i, version] of versions.entries()) {
    if (version === null) continue;
    const isLow = compareVersions(version, min) < 0;
    if (isLow || compareVersions(version, max) > 0) {
      const why = isLow ? "too low" : "too high";
      log.warn(`cluster version of remote member is not compatible; ${why}`, {
        "remote-member-id": others[i]!.id.toString(16),
        "remote-member-cluster-version": `${version.major}.${version.minor}.${version.patch}`,
      });
      return false;
    }
    isKnown = true;
  }
  return isKnown;
}

function clusterVersionIn(body: string): Version | null {
  try {
    const raw = JSON.parse(body) as Record<string, unknown> | null;
    const version = raw?.["etcdcluster"];
    return typeof version === "string" ? parseVersion(version) : null;
  } catch {
    return null; // not a member's answer: the member counts as unknown
  }
}

/** The body that the first of the member's URLs answers; null if none does. */
function firstBody(
  { get, log, timeoutMs }: FetchParts,
  member: Member,
  path: string,
  done: (body: string | null) => void,
): void {
  firstOf(
    member.peerUrls,
    (url, next) => {
      const address = `${url}${path}`;
      get(address, timeoutMs, (error, answer) => {
        if (error === null) next(new TextDecoder().decode(answer.body).trim());
        else {
          log.warn("failed to reach the peer URL", {
            address,
            "remote-member-id": member.id.toString(16),
            error: error.message,
          });
          next(null);
        }
      });
    },
    done,
  );
}

/** Asks one after the other until one gives an answer. */
function firstOf<T, R>(
  items: readonly T[],
  ask: (item: T, next: (answer: R | null) => void) => void,
  done: (answer: R | null) => void,
): void {
  const from = (at: number): void => {
    if (at === items.length) done(null);
    else {
      ask(items[at]!, (answer) => {
        if (answer === null) from(at + 1);
        else done(answer);
      });
    }
  };
  from(0);
}

function askAll<T, R>(
  items: readonly T[],
  ask: (item: T, next: (answer: R) => void) => void,
  done: (answers: readonly R[]) => void,
): void {
  const answers: R[] = [];
  const from = (at: number): void => {
    if (at === items.length) done(answers);
    else {
      ask(items[at]!, (answer) => {
        answers.push(answer);
        from(at + 1);
      });
    }
  };
  from(0);
}
