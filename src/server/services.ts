/** Every gRPC method of a member, on top of its core. No sockets. */

import { errNoLeader, errNotSupportedForLearner } from "../base/etcd-errors.ts";
import { grpcCode } from "../base/grpc-code.ts";
import type { Logger } from "../base/log.ts";
import type { Clock, Random, Turn } from "../base/ports.ts";
import { HeaderCodec } from "../codec/header.ts";
import { DecodeError } from "../codec/reader.ts";
import type { GrpcCall, GrpcMethod } from "../http2/types.ts";
import { leaseGrantCost } from "./apply/quota.ts";
import { RequestTimes, type RequestMeters } from "./apply/request-times.ts";
import { createTxnState } from "./apply/txn.ts";
import type { Backend } from "./backend/backend.ts";
import type { ServerConfig } from "./config/config.ts";
import type { ServerCore } from "./core.ts";
import type { Cluster } from "./member/cluster.ts";
import type { Node } from "./node.ts";
import { Answers } from "./rpc/answers.ts";
import { createClusterService } from "./rpc/cluster.ts";
import { createHealthService } from "./rpc/health.ts";
import { createKvService } from "./rpc/kv.ts";
import { isServedByLearner } from "./rpc/learner.ts";
import { createLeaseService } from "./rpc/lease.ts";
import { createMaintenanceService } from "./rpc/maintenance.ts";
import { RequireLeader, type RequireLeaderParts } from "./rpc/require-leader.ts";
import { timedProposer } from "./rpc/timed-proposer.ts";
import { createWatchService } from "./rpc/watch.ts";

export interface ServiceParts {
  readonly config: ServerConfig;
  readonly io: {
    readonly clock: Clock;
    readonly turn: Turn;
    readonly random: Random;
    readonly log: Logger;
  };
  readonly core: ServerCore;
  readonly backend: Backend;
  readonly metrics: { readonly server: RequestMeters };
}

/** Malformed messages, learners and `hasleader` are handled alike for all of them. */
export function createServices(parts: ServiceParts): GrpcMethod[] {
  const { node, state } = parts.core;
  const { config, io } = parts;
  return createMethods(parts).map((method) => {
    const isStream = method.clientStreaming || method.serverStreaming;
    const guard = guarded(method, node, state.cluster);
    return isStream ? leading(guard, node, { ...config, clock: io.clock }) : guard;
  });
}

function createMethods(parts: ServiceParts): GrpcMethod[] {
  const { config, io, backend } = parts;
  const { state, node, guard } = parts.core;
  const { store, cluster, lessor, alarms, watchable } = state;
  const header = new HeaderCodec(cluster.id, cluster.localId);
  const raftTerm = (): number => node.term;
  const answers = new Answers(header, raftTerm);
  const times = new RequestTimes(io.clock, parts.metrics.server);
  const proposer = timedProposer(parts.core.proposer, times);
  const reads = node.gate;
  const currentRevision = (): number => store.currentRevision;
  return [
    ...createKvService({
      ...{ store, proposer, reads, answers, times, turn: io.turn },
      txnState: createTxnState(store, lessor),
      checkQuota: (costBytes) => guard.check(costBytes),
      txnOpsMax: config.maxTxnOps,
      requestBytesMax: config.maxRequestBytes,
    }),
    ...createWatchService({
      ...{ store: watchable, header, raftTerm, clock: io.clock, random: io.random.fork("watch") },
      progressNotifyIntervalMs: config.watchProgressNotifyIntervalMs,
    }),
    ...createLeaseService({
      ...{ lessor, proposer, reads, answers, currentRevision, random: io.random.fork("lease") },
      leases: parts.core.leases,
      checkQuota: () => guard.check(leaseGrantCost()),
    }),
    ...createClusterService({ cluster, reads, answers, membership: parts.core.life.membership }),
    ...createMaintenanceService({
      ...{ store, backend, node, cluster, alarms, proposer, answers, log: io.log },
      transfers: parts.core.life.transfers,
      snapshots: parts.core.snapshots,
      quotaBytes: config.quotaBackendBytes === Infinity ? -1 : config.quotaBackendBytes,
    }),
    ...createHealthService(),
  ];
}

/** Streams that ask for a leader begin and stay only while this member knows one. */
function leading(
  method: GrpcMethod,
  node: Node,
  settings: Pick<RequireLeaderParts, "clock" | "electionTimeoutMs">,
): GrpcMethod {
  const hasLeader = (): boolean => node.leader !== 0n;
  const end = (call: GrpcCall): void => {
    call.finish(errNoLeader.code, errNoLeader.message);
    method.cancelled?.(call);
  };
  const { clock, electionTimeoutMs } = settings;
  const streams = new RequireLeader({ clock, electionTimeoutMs, hasLeader, end });
  return {
    ...method,
    open(call) {
      method.open?.(call);
      if (call.metadata("hasleader") !== "true") return;
      if (hasLeader()) streams.add(call);
      else end(call);
    },
  };
}

function guarded(method: GrpcMethod, node: Node, cluster: Cluster): GrpcMethod {
  const isStream = method.clientStreaming || method.serverStreaming;
  // grpc-go words the same failure differently for streams.
  const prefix = isStream
    ? "grpc: failed to unmarshal the received message"
    : "grpc: error unmarshalling request";
  // The service learns of it as of any call that ends without its doing.
  const refuse = (call: GrpcCall, code: number, message: string): void => {
    call.finish(code, message);
    if (isStream) method.cancelled?.(call);
  };
  return {
    ...method,
    message(call, bytes) {
      try {
        if (cluster.isLocalLearner && !isServedByLearner(method.path, bytes)) {
          refuse(call, errNotSupportedForLearner.code, errNotSupportedForLearner.message);
        } else if (node.leader === 0n && call.metadata("hasleader") === "true") {
          refuse(call, errNoLeader.code, errNoLeader.message);
        } else method.message(call, bytes);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        refuse(call, grpcCode.internal, `${prefix}: ${error.message}`);
      }
    },
  };
}
