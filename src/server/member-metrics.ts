/** The member's figures under etcd's names; state is read when somebody asks for the page. */
import type { Histogram } from "../base/metrics.ts";
import { MetricRegistry } from "../base/metrics.ts";
import { etcdVersion } from "../base/version.ts";
import { alarmType } from "./apply/alarm.ts";
import type { Backend } from "./backend/backend.ts";
import type { ServerConfig } from "./config/config.ts";
import { featureGates } from "./config/feature-gates.ts";
import {
  createDiskMetrics,
  createMvccMetrics,
  createServerMetrics,
  setInfo,
} from "./metrics/names.ts";
import { registerProcessMetrics, type ProcessStats } from "./metrics/process-metrics.ts";
import type { Node } from "./node.ts";
import { createPeerMetrics } from "./peer/peer-metrics.ts";
import type { State } from "./state.ts";

export class MemberMetrics {
  readonly registry = new MetricRegistry();
  readonly server = createServerMetrics(this.registry);
  readonly disk = createDiskMetrics(this.registry);
  readonly peers = createPeerMetrics(this.registry);
  readonly #mvcc = createMvccMetrics(this.registry);

  constructor(config: ServerConfig, stats: ProcessStats, turnSeconds: Histogram) {
    const { server } = this;
    registerProcessMetrics(this.registry, stats);
    this.registry.onCollect(() => {
      copyHistogram(turnSeconds, server.turnSeconds);
    });
    setInfo(server.version, etcdVersion);
    const quota = config.quotaBackendBytes;
    server.quotaBytes.value = quota === Infinity ? 0 : quota;
    for (const [name, isOn] of config.featureGates) {
      const stage = featureGates[name]?.stage ?? "";
      server.featureEnabled.with(name, stage).value = isOn ? 1 : 0;
    }
  }

  /** Reads these parts from now on. */
  connect({ state, backend, node }: { state: State; backend: Backend; node: Node }): void {
    setInfo(this.server.id, state.cluster.localId.toString(16));
    this.registry.onCollect(() => {
      this.#collectNode(node, state);
      this.#collectStore(state, backend);
    });
  }

  #collectNode(node: Node, { cluster, alarms }: State): void {
    const { server } = this;
    server.hasLeader.value = node.leader === 0n ? 0 : 1;
    server.isLeader.value = node.isLeader ? 1 : 0;
    server.isLearner.value = cluster.member(cluster.localId)?.isLearner === true ? 1 : 0;
    server.proposalsCommitted.value = node.commitIndex;
    server.proposalsApplied.value = node.appliedIndex;
    this.disk.walBytes.value = node.wal.counters.bytes;
    server.proposalsPending.value = node.proposals.waiting;
    server.proposalsFailed.value = node.proposals.failures;
    server.slowApplies.value = node.slowApplies;
    server.slowReadIndexes.value = node.gate.counters.late;
    server.readIndexesFailed.value = node.gate.counters.refused;
    const [major, minor] = cluster.version.split(".");
    if (minor !== undefined) setInfo(server.clusterVersion, `${major ?? ""}.${minor}`);
    for (const { memberId, alarm } of alarms.list(alarmType.none)) {
      const name = alarm === alarmType.corrupt ? "CORRUPT" : "NOSPACE";
      setInfo(server.alarms, memberId.toString(16), name);
    }
  }

  #collectStore({ store, watchable, lessor }: State, backend: Backend): void {
    const { server } = this;
    const mvcc = this.#mvcc;
    mvcc.ranges.value = store.counts.ranges;
    mvcc.keys.value = store.index.keys.count;
    mvcc.events.value = watchable.sender.counters.events;
    mvcc.pendingEvents.value = watchable.pendingEvents;
    server.leasesGranted.value = lessor.counters.granted;
    server.leasesRevoked.value = lessor.counters.revoked;
    server.leasesRenewed.value = lessor.counters.renewed;
    server.leasesExpired.value = lessor.counters.expired;
    copyHistogram(lessor.grantedTtls, server.leaseTtl);
    mvcc.puts.value = store.counts.puts;
    mvcc.deletes.value = store.counts.deletes;
    mvcc.txns.value = store.counts.txns;
    mvcc.currentRevision.value = store.currentRevision;
    mvcc.compactRevision.value = store.compactRevision;
    mvcc.watchers.value = watchable.counters.watchers;
    mvcc.watchStreams.value = watchable.counters.streams;
    mvcc.slowWatchers.value = watchable.slowCount;
    const { file, inUse } = backend.size();
    mvcc.dbBytes.value = file;
    mvcc.dbBytesInUse.value = inUse;
  }
}

/** Both have the same bounds. */
function copyHistogram(from: Histogram, to: Histogram): void {
  to.counts.set(from.counts);
  to.sum = from.sum;
}
