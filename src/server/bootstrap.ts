// BO1  An id belongs to the data it started with: a member without data never starts under an id
//      that the cluster has seen running.
// BO2  What a data directory says of its member wins over every setting.

import { utf8 } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";
import { encodeConfChange } from "../codec/conf-change.ts";
import { ConfChangeType, type ConfChange } from "../raft/message.ts";
import {
  checkBootstrap,
  parseInitialCluster,
  urlsDiffer,
  type BootstrapSettings,
} from "./config/initial-cluster.ts";
import { checkVersions, fetchCluster, type HttpGet, type RemoteCluster } from "./join.ts";
import { encodeMember, type Member } from "./member/member.ts";
import { errLearnersFull } from "./member/member-error.ts";
import { clusterId, memberId, type Sha1 } from "./member/member-id.ts";

interface InitialCluster {
  /** The parsed --initial-cluster: name to its peer URLs. */
  readonly members: ReadonlyMap<string, readonly string[]>;
  readonly token: string;
  /** This member's name: one of `members`. */
  readonly localName: string;
}

interface Identity {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly members: readonly Member[];
}

/** What is in the data directory of a member. */
export interface ExistingData {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** It stopped before anything but its ids was written. */
  readonly isEmpty: boolean;
}

/** How a member starts. */
export interface BootstrapPlan {
  /**
   * new: with `firstMembers` as the first log entries; join: with an empty log, the leader sends
   * it; restart: from its data; forceNew: from its data, alone.
   */
  readonly kind: "new" | "join" | "restart" | "forceNew";
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Of a new cluster; else empty. */
  readonly firstMembers: readonly Member[];
  /** The other members as far as known before the log is read: the transport may answer them. */
  readonly peers: readonly Member[];
}

/** The same ids that etcd derives from the same inputs. */
function identify(initial: InitialCluster, sha1: Sha1): Identity {
  const members: Member[] = [];
  for (const [name, peerUrls] of initial.members) {
    const id = memberId({ peerUrls, clusterToken: initial.token }, sha1);
    members.push({ id, peerUrls, isLearner: false, name, clientUrls: [] });
  }
  members.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const twin = members.find((member, i) => member.id === members[i + 1]?.id);
  if (twin !== undefined) {
    throw new Error(`member exists with identical ID ${twin.id.toString(16)}`);
  }
  const local = members.find((m) => m.name === initial.localName);
  if (local === undefined) {
    throw new Error(
      `couldn't find local name "${initial.localName}" in the initial cluster configuration`,
    );
  }
  const ids = members.map((m) => m.id);
  return { clusterId: clusterId(ids, sha1), memberId: local.id, members };
}

/** One ConfChange per member, as etcd's first log entries hold them. */
export function bootstrapChanges(
  members: readonly Member[],
): { change: ConfChange; data: Uint8Array }[] {
  return members.map((member) => {
    const change = { type: ConfChangeType.addNode, nodeId: member.id };
    const context = utf8(encodeMember(member));
    return { change, data: encodeConfChange({ id: 0n, ...change, context }) };
  });
}

/**
 * Decides how the member starts. `remote` is what the members of --initial-cluster say of the
 * cluster, null if none answered; it is not asked for when there is data. Throws with etcd's text
 * when the member must not start. @forTests
 */
export function planBootstrap(
  config: BootstrapSettings,
  existing: ExistingData | null,
  remote: RemoteCluster | null,
  sha1: Sha1,
): BootstrapPlan {
  if (existing !== null && !existing.isEmpty) {
    const kind = config.forceNewCluster ? "forceNew" : "restart";
    const { clusterId, memberId } = existing; // BO2
    return { kind, clusterId, memberId, firstMembers: [], peers: [] };
  }
  const problem = checkBootstrap(config);
  if (problem !== null) throw new Error(problem);
  const local = identify(initialClusterOf(config), sha1);
  const plan =
    config.initialClusterState === "new" ? planNew(local, remote) : planJoin(config, local, remote);
  checkSameIdentity(plan, existing);
  return plan;
}

/** Whom the log of a restarted member begins with, should nothing be in it yet. */
export function firstMembers(config: BootstrapSettings, sha1: Sha1): readonly Member[] {
  if (config.initialClusterState === "existing") return [];
  const problem = checkBootstrap(config);
  if (problem !== null) throw new Error(problem);
  return identify(initialClusterOf(config), sha1).members;
}

/**
 * The peer URLs to ask before {@link planBootstrap}, sorted: those of all other members. @forTests
 */
export function remotePeerUrls(config: BootstrapSettings): string[] {
  const others = [...parseInitialCluster(config.initialCluster)].filter(
    ([name]) => name !== config.name,
  );
  return others.flatMap(([, urls]) => urls.map((url) => url.text)).sort();
}

function initialClusterOf(config: BootstrapSettings): InitialCluster {
  const members = new Map(
    [...parseInitialCluster(config.initialCluster)].map(([name, urls]) => [
      name,
      urls.map((url) => url.text),
    ]),
  );
  return { members, token: config.initialClusterToken, localName: config.name };
}

function planNew(local: Identity, remote: RemoteCluster | null): BootstrapPlan {
  const { clusterId, memberId: id, members } = local;
  refuseUsedId(id, remote);
  const peers = members.filter((member) => member.id !== id);
  return { kind: "new", clusterId, memberId: id, firstMembers: members, peers };
}

function planJoin(
  config: BootstrapSettings,
  local: Identity,
  remote: RemoteCluster | null,
): BootstrapPlan {
  if (remote === null) {
    throw new Error(
      "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs",
    );
  }
  const ids = matchMembers(local.members, remote);
  const id = ids.get(config.name)!;
  refuseUsedId(id, remote);
  const refusal = refuseLearners(remote.members, config.maxLearners);
  if (refusal !== null) throw refusal;
  const peers = remote.members.filter((member) => member.id !== id);
  return { kind: "join", clusterId: remote.clusterId, memberId: id, firstMembers: [], peers };
}

/** BO1: who published client URLs has run, and its data is not here. */
function refuseUsedId(id: bigint, remote: RemoteCluster | null): void {
  const known = remote?.members.find((member) => member.id === id);
  if (known !== undefined && known.clientUrls.length > 0) {
    throw new Error(`member ${id.toString(16)} has already been bootstrapped`);
  }
}

/** The ids, by name, which the running cluster gave to the members of --initial-cluster. */
function matchMembers(
  locals: readonly Member[],
  remote: RemoteCluster,
): ReadonlyMap<string, bigint> {
  const refuse = (why: string): never => {
    throw new Error(`error validating peerURLs ${remoteText(remote)}: ${why}`);
  };
  if (remote.members.length !== locals.length) return refuse("member count is unequal");
  const ids = new Map<string, bigint>();
  for (const { id, peerUrls } of remote.members) {
    let reason: string | null = null;
    const match = locals.find((local) => {
      reason = urlsDiffer(peerUrls, local.peerUrls);
      return reason === null;
    });
    if (match === undefined) {
      const shown = `(${id.toString(16)}, [${peerUrls.join(" ")}])`;
      return refuse(
        `PeerURLs: no match found for existing member ${shown}, last resolver error (${reason})`,
      );
    }
    ids.set(match.name, id);
  }
  return ids;
}

/** As Go prints its cluster. */
function remoteText({ clusterId, members }: RemoteCluster): string {
  const shown = members.map(
    (m) =>
      `&{ID:${m.id.toString(16)} RaftAttributes:{PeerURLs:[${m.peerUrls.join(" ")}] ` +
      `IsLearner:${m.isLearner}} Attributes:{Name:${m.name} ClientURLs:[${m.clientUrls.join(" ")}]}}`,
  );
  return `{ClusterID:${clusterId.toString(16)} Members:[${shown.join(" ")}] RemovedMemberIDs:[]}`;
}

/** Why a member must not start among these, or null: more learners than --max-learners. */
export function refuseLearners(members: readonly Member[], learnersMax: number): Error | null {
  const learners = members.filter((member) => member.isLearner).length;
  return learners > learnersMax ? new Error(errLearnersFull.reason) : null;
}

/** A first start that was cut short goes on as what it began, or not at all. */
function checkSameIdentity(plan: BootstrapPlan, existing: ExistingData | null): void {
  if (existing === null) return;
  if (existing.clusterId === plan.clusterId && existing.memberId === plan.memberId) return;
  const shown = (ids: { clusterId: bigint; memberId: bigint }): string =>
    `member ${ids.memberId.toString(16)} of cluster ${ids.clusterId.toString(16)}`;
  throw new Error(
    `Cannot start: the data directory belongs to ${shown(existing)}, ` +
      `the settings make this ${shown(plan)}; wanted the settings of its first start`,
  );
}

export interface BootstrapParts {
  readonly config: BootstrapSettings;
  readonly existing: ExistingData | null;
  readonly get: HttpGet;
  readonly log: Logger;
  readonly sha1: Sha1;
  /** Time for a whole request, in ms: 5 s and two election timeouts. */
  readonly requestTimeoutMs: number;
}

/** Time for a member to say who is in the cluster, in ms: joining, and starting a new one. */
const joinTimeoutMs = 10_000;
const newTimeoutMs = 1000;

/** Asks the other members where that is needed, and plans. `done` gets the plan or why not. */
export function bootstrap(
  parts: BootstrapParts,
  done: (error: Error | null, plan: BootstrapPlan | null) => void,
): void {
  const { config, existing, get, log, sha1, requestTimeoutMs } = parts;
  const plan = (remote: RemoteCluster | null): BootstrapPlan | null => {
    try {
      return planBootstrap(config, existing, remote, sha1);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)), null);
      return null;
    }
  };
  const isJoin = config.initialClusterState === "existing";
  const problem = checkBootstrap(config);
  if ((existing !== null && !existing.isEmpty) || problem !== null) {
    const decided = plan(null);
    if (decided !== null) done(null, decided);
    return;
  }
  const timeoutMs = isJoin ? joinTimeoutMs : newTimeoutMs;
  const quiet = isJoin ? log : { warn: () => undefined }; // of a new cluster nobody may be there
  fetchCluster({ get, log: quiet, timeoutMs }, remotePeerUrls(config), (error, remote) => {
    if (isJoin && error !== null) {
      done(new Error(`cannot fetch cluster info from peer urls: ${error.message}`), null);
      return;
    }
    const decided = plan(remote);
    if (decided === null) return;
    if (!isJoin) {
      done(null, decided);
      return;
    }
    checkVersions({ get, log, timeoutMs: requestTimeoutMs }, decided.peers, (isCompatible) => {
      if (isCompatible) done(null, decided);
      else done(new Error("incompatible with current running cluster"), null);
    });
  });
}
