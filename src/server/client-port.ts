/** What clients reach: every gRPC service and page of this member, on its listeners. */

import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { clusterVersion, etcdVersion } from "../base/version.ts";
import { alarmType } from "./apply/alarm.ts";
import type { Backend } from "./backend/backend.ts";
import type { ServerConfig } from "./config/config.ts";
import type { ServerCore } from "./core.ts";
import { createHttpHandlers } from "./http/handlers.ts";
import type { HealthSource } from "./http/health-source.ts";
import type { MemberMetrics } from "./member-metrics.ts";
import { registerGrpcMetrics } from "./metrics/names.ts";
import { createGrpcServer, type ClientPort } from "./rpc/grpc-server.ts";
import type { TlsOptions } from "./rpc/listener.ts";
import { createServices } from "./services.ts";
import type { ServerIo } from "./start.ts";

export interface PortParts {
  readonly config: ServerConfig;
  readonly io: ServerIo;
  readonly core: ServerCore;
  readonly backend: Backend;
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
      methods: createServices(parts),
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
    const { methods, stats } = this.#client;
    registerGrpcMetrics(registry, methods, stats, config.metrics === "extensive");
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

function healthSource({ core }: PortParts): HealthSource {
  const { node } = core;
  const { alarms, cluster } = core.state;
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
