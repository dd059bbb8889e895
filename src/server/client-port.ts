/** What clients reach: every gRPC service and page of this member, on its listeners. */

import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { errNoLeader } from "../base/etcd-errors.ts";
import { grpcCode } from "../base/grpc-code.ts";
import { clusterVersion, etcdVersion } from "../base/version.ts";
import { HeaderCodec } from "../codec/header.ts";
import { DecodeError } from "../codec/reader.ts";
import type { GrpcCall, GrpcMethod } from "../http2/types.ts";
import { alarmType } from "./apply/alarm.ts";
import { leaseGrantCost } from "./apply/quota.ts";
import type { Backend } from "./backend/backend.ts";
import type { ServerConfig } from "./config/config.ts";
import { createHttpHandlers } from "./http/handlers.ts";
import type { HealthSource } from "./http/health-source.ts";
import type { MemberMetrics } from "./member-metrics.ts";
import { registerGrpcMetrics } from "./metrics/names.ts";
import type { Node } from "./node.ts";
import { Answers } from "./rpc/answers.ts";
import { createClusterService } from "./rpc/cluster.ts";
import { createGrpcServer, type ClientPort } from "./rpc/grpc-server.ts";
import { createHealthService } from "./rpc/health.ts";
import { createKvService } from "./rpc/kv.ts";
import { createLeaseService } from "./rpc/lease.ts";
import type { TlsOptions } from "./rpc/listener.ts";
import { createMaintenanceService } from "./rpc/maintenance.ts";
import type { Proposer } from "./rpc/services.ts";
import { createWatchService } from "./rpc/watch.ts";
import type { SpaceGuard } from "./space-guard.ts";
import type { ServerIo } from "./start.ts";
import type { State } from "./state.ts";

export interface PortParts {
  readonly config: ServerConfig;
  readonly io: ServerIo;
  readonly state: State;
  readonly backend: Backend;
  readonly node: Node;
  readonly proposer: Proposer;
  readonly guard: SpaceGuard;
  readonly metrics: MemberMetrics;
}

/** A gRPC message may be this much larger than --max-request-bytes. */
const grpcOverheadBytes = 512 * 1024;

/** The member's listeners, not yet open. */
export class Ports {
  readonly #parts: PortParts;
  readonly #client: ClientPort;
  /** --listen-metrics-urls */
  readonly #metrics: ClientPort;

  constructor(parts: PortParts) {
    this.#parts = parts;
    const { config, io } = parts;
    const { registry, server: metrics } = parts.metrics;
    const handlers = createHttpHandlers({ health: healthSource(parts), registry, metrics });
    const tls = readTls(config);
    this.#client = createGrpcServer({
      ...{ clock: io.clock, turn: io.turn, log: io.log },
      methods: createMethods(parts).map((method) => guarded(method, parts.node)),
      http: handlers.client,
      limits: {
        streamsMax: config.maxConcurrentStreams,
        messageBytesMax: config.maxRequestBytes + grpcOverheadBytes,
        keepAliveIntervalMs: config.grpcKeepaliveIntervalMs,
        keepAliveTimeoutMs: config.grpcKeepaliveTimeoutMs,
        pingIntervalMinMs: config.grpcKeepaliveMinTimeMs,
      },
      ...(tls === null ? {} : { tls }),
    });
    registerGrpcMetrics(registry, this.#client.methods, this.#client.stats);
    this.#metrics = createGrpcServer({
      ...{ clock: io.clock, turn: io.turn, log: io.log },
      methods: [],
      http: handlers.metricsOnly,
      ...(tls === null ? {} : { tls }),
    });
  }

  /** Opens every client URL; rejects with the first failure. */
  async listen(): Promise<void> {
    const { config, io } = this.#parts;
    for (const url of config.listenMetricsUrls) {
      await listenOn(this.#metrics, url.text);
      io.log.info("serving metrics", { address: url.text });
    }
    for (const url of config.listenClientUrls) await listenOn(this.#client, url.text);
  }

  /** Says in etcd's words what clients reach. */
  announce(): void {
    const { config, io } = this.#parts;
    const message = config.tls.certFile
      ? "serving client traffic securely"
      : "serving client traffic insecurely; this is strongly discouraged!";
    for (const url of config.listenClientUrls) {
      io.log.info(message, { traffic: "grpc+http", address: url.text });
    }
  }

  async close(graceMs: number): Promise<void> {
    const closed = [this.#client, this.#metrics].map(
      (port) =>
        new Promise<void>((resolve) => {
          port.close(graceMs, resolve);
        }),
    );
    await Promise.all(closed);
  }
}

function listenOn(port: ClientPort, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    port.listen(url, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function createMethods(parts: PortParts): GrpcMethod[] {
  const { config, io, state, backend, node, proposer, guard } = parts;
  const { store, cluster, lessor, alarms, watchable } = state;
  const header = new HeaderCodec(cluster.id, cluster.localId);
  const raftTerm = (): number => node.term;
  const answers = new Answers(header, raftTerm);
  const reads = node.gate;
  const currentRevision = (): number => store.currentRevision;
  return [
    ...createKvService({
      ...{ store, proposer, reads, answers, turn: io.turn },
      txnState: {
        get currentRevision() {
          return store.currentRevision;
        },
        get compactRevision() {
          return store.compactRevision;
        },
        leaseExists: (lease) => lessor.exists(lease),
      },
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
      checkQuota: () => guard.check(leaseGrantCost()),
    }),
    ...createClusterService({ cluster, reads, answers }),
    ...createMaintenanceService({
      ...{ store, backend, node, alarms, proposer, answers, log: io.log },
      quotaBytes: config.quotaBackendBytes === Infinity ? -1 : config.quotaBackendBytes,
    }),
    ...createHealthService(),
  ];
}

/** Malformed messages and `hasleader` are handled alike for every method. */
function guarded(method: GrpcMethod, node: Node): GrpcMethod {
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
      if (node.leader === 0n && call.metadata("hasleader") === "true") {
        refuse(call, errNoLeader.code, errNoLeader.message);
        return;
      }
      try {
        method.message(call, bytes);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        refuse(call, grpcCode.internal, `${prefix}: ${error.message}`);
      }
    },
  };
}

function healthSource({ state, node }: PortParts): HealthSource {
  const { alarms, cluster } = state;
  return {
    alarms: () =>
      alarms.list(0).map((a) => (a.alarm === alarmType.corrupt ? "CORRUPT" : "NOSPACE")),
    hasLeader: () => node.leader !== 0n,
    isLearner: () => cluster.member(cluster.localId)?.isLearner ?? false,
    read(isLinearizable, done) {
      if (isLinearizable)
        node.gate.read({
          ready: (error) => {
            done(error);
          },
        });
      else done(null);
    },
    versions: () => ({
      server: etcdVersion,
      cluster: cluster.version === "" ? null : cluster.version,
      storage: clusterVersion,
    }),
  };
}

function readTls(config: ServerConfig): TlsOptions | null {
  const { certFile, keyFile, trustedCaFile, clientCertAuth } = config.tls;
  if (certFile === "" && keyFile === "") return null;
  const cert = readFileSync(certFile);
  const key = readFileSync(keyFile);
  const trustedCa = trustedCaFile === "" ? {} : { trustedCa: readFileSync(trustedCaFile) };
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Cannot use the certificate in "${certFile}" with the key in "${keyFile}": ${reason}`,
    );
  }
  return { cert, key, clientCertAuth, ...trustedCa };
}
