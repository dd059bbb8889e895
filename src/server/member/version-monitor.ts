// VM1  Only a leader decides, and the version never passes what the oldest member runs.
// VM2  One look at a time: the next starts when the last has heard of every member.

import { errStopped, type EtcdError } from "../../base/etcd-errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Clock, Timer } from "../../base/ports.ts";
import { etcdVersion } from "../../base/version.ts";
import type { PeerTransport } from "../peer/peer-port.ts";
import type { Cluster } from "./cluster.ts";
import {
  clusterVersionMin,
  clusterVersionText,
  compareVersions,
  parseVersion,
  type Version,
} from "./cluster-version.ts";
import type { Member } from "./member.ts";

export interface VersionMonitorParts {
  readonly cluster: Pick<Cluster, "localId" | "members" | "version" | "downgrade">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly isLeader: () => boolean;
  readonly peers: Pick<PeerTransport, "call">;
  readonly requestTimeoutMs: number;
  /** Proposes the cluster version, "3.7.0"; `done` when it is applied here or failed. */
  readonly propose: (version: string, done: (error: EtcdError | null) => void) => void;
}

/** Time between two looks at the members' versions, in ms (as in etcd). */
const intervalMs = 4000;

/** Has the leader agree with all members on the version that the cluster speaks. */
export class VersionMonitor {
  readonly #parts: VersionMonitorParts;
  #timer: Timer | null = null;
  #isLooking = false;
  #isStopped = false;

  constructor(parts: VersionMonitorParts) {
    this.#parts = parts;
  }

  /** To be called when the member begins to run, and when it becomes leader. */
  look(): void {
    if (this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(intervalMs, () => {
      this.look();
    });
    if (this.#isLooking || !this.#parts.isLeader()) return;
    this.#isLooking = true; // VM2
    this.#askMembers((oldest) => {
      this.#isLooking = false;
      if (!this.#isStopped && this.#parts.isLeader()) this.#decide(oldest); // VM1
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Answers the lowest version that a member runs; null if one could not be asked. */
  #askMembers(done: (oldest: Version | null) => void): void {
    const { cluster } = this.#parts;
    const others = cluster.members().filter((member) => member.id !== cluster.localId);
    const versions: (Version | null)[] = [parseVersion(etcdVersion)];
    if (others.length === 0) {
      done(lowest(versions));
      return;
    }
    for (const member of others) {
      this.#ask(member, (version) => {
        versions.push(version);
        if (versions.length === others.length + 1) done(lowest(versions));
      });
    }
  }

  #ask({ id }: Member, done: (version: Version | null) => void): void {
    const { peers, log, requestTimeoutMs: timeoutMs } = this.#parts;
    peers.call(id, { method: "GET", path: "/version", timeoutMs }, (error, answer) => {
      const text = error === null ? serverVersion(answer.body) : "";
      const version = parseVersion(text);
      if (version === null) {
        log.warn("failed to get version", {
          "remote-member-id": id.toString(16),
          error: error === null ? `not a version: ${JSON.stringify(text)}` : error.message,
        });
      } else if (compareVersions(version, parseVersion(etcdVersion)!) > 0) {
        log.warn("leader found higher-versioned member", {
          "local-member-version": etcdVersion,
          "remote-member-id": id.toString(16),
          "remote-member-version": text,
        });
      }
      done(version);
    });
  }

  #decide(oldest: Version | null): void {
    const { cluster, log, propose } = this.#parts;
    const to = nextClusterVersion(cluster.version, oldest, cluster.downgrade.targetVersion);
    if (to === null) return;
    const shown = clusterVersionText(to);
    if (cluster.version === "") {
      log.info("setting up initial cluster version using v3 API", { "cluster-version": shown });
    } else {
      const from = clusterVersionText(cluster.version);
      log.info("updating cluster version using v3 API", { from, to: shown });
    }
    propose(to, (error) => {
      if (error === null) log.info("cluster version is updated", { "cluster-version": shown });
      else if (error === errStopped) {
        log.warn("aborting cluster version update; server is stopped", { error: error.message });
      } else log.warn("failed to update cluster version", { error: error.message });
    });
  }
}

/**
 * The version to agree on, "" or "3.6.0" being the present one; null: leave it. `oldest` is the
 * lowest version that a member runs, null if not every member could be asked. @forTests
 */
export function nextClusterVersion(
  present: string,
  oldest: Version | null,
  downgradeTarget: string,
): string | null {
  if (present === "") return oldest === null ? clusterVersionMin : text(oldest);
  const now = parseVersion(present);
  if (oldest === null || now === null) return null;
  if (downgradeTarget !== "") {
    const target = parseVersion(downgradeTarget);
    if (target === null || compareVersions(target, now) === 0) return null;
    const isOneBelow = (version: Version): boolean =>
      version.major === target.major && version.minor === target.minor + 1;
    return isOneBelow(now) && isOneBelow(oldest) ? text(target) : null;
  }
  const isHigher = oldest.major === now.major && oldest.minor > now.minor;
  return isHigher ? text(oldest) : null;
}

function text({ major, minor }: Version): string {
  return `${major}.${minor}.0`;
}

function lowest(versions: readonly (Version | null)[]): Version | null {
  let result: Version | null = null;
  for (const version of versions) {
    if (version === null) return null;
    if (result === null || compareVersions(version, result) < 0) result = version;
  }
  return result;
}

/** The answer of `/version`; "" for anything else. */
function serverVersion(body: Uint8Array): string {
  try {
    const raw = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown> | null;
    const version = raw?.["etcdserver"];
    return typeof version === "string" ? version : "";
  } catch {
    return ""; // reported as not a version
  }
}
