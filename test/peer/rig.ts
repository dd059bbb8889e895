/** Members of a cluster as far as their peer ports go, over real sockets on loopback. */
import type { LogFields, Logger } from "../../src/base/log.ts";
import { MetricRegistry } from "../../src/base/metrics.ts";
import { emptyBytes } from "../../src/base/bytes.ts";
import { createNodeClock, createNodeTurn } from "../../src/io/node-clock.ts";
import type { Message } from "../../src/raft/message.ts";
import type { Entry, RaftId } from "../../src/raft/types.ts";
import { listenPeers } from "../../src/server/peer/listener.ts";
import { createPeerTransport } from "../../src/server/peer/live-transport.ts";
import type { PeerLimits } from "../../src/server/peer/peer-limits.ts";
import { createPeerMetrics } from "../../src/server/peer/peer-metrics.ts";
import type {
  LivePeerTransport,
  PeerListener,
  PeerTls,
} from "../../src/server/peer/peer-options.ts";
import type { PeerEvents, PeerService, SnapshotSink } from "../../src/server/peer/peer-port.ts";

export const testClusterId = 0xc1n;

/** Nothing in these tests may take longer. */
const deadlineMs = 10_000;

const shownLinesMax = 20;

const clock = createNodeClock();

/** Everything one member learnt, and who waits for more. */
export class Seen implements PeerEvents {
  readonly messages: Message[] = [];
  readonly unreachables: RaftId[] = [];
  readonly snapshots: (readonly [id: RaftId, isDelivered: boolean])[] = [];
  readonly removed = new Set<RaftId>();
  removals = 0;
  readonly logs: string[] = [];
  readonly logged: (readonly [message: string, fields: LogFields])[] = [];
  snapshotSink: (message: Message) => SnapshotSink | null = () => null;
  readonly #waiting = new Set<() => void>();

  receive(message: Message): void {
    this.messages.push(message);
    this.changed();
  }

  unreachable(id: RaftId): void {
    this.unreachables.push(id);
    this.changed();
  }

  snapshotSent(id: RaftId, isDelivered: boolean): void {
    this.snapshots.push([id, isDelivered]);
    this.changed();
  }

  isRemoved(id: RaftId): boolean {
    return this.removed.has(id);
  }

  removedFromCluster(): void {
    this.removals++;
    this.changed();
  }

  receiveSnapshot(message: Message): SnapshotSink | null {
    return this.snapshotSink(message);
  }

  log(message: string, fields: LogFields = {}): void {
    this.logs.push(message);
    this.logged.push([message, fields]);
    this.changed();
  }

  changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Resolves when `isSo` holds, which is looked at after every event. */
  async until(isSo: () => boolean, what: string): Promise<void> {
    if (isSo()) return;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const look = (): void => {
      if (isSo()) resolve(undefined);
    };
    this.#waiting.add(look);
    const late = setTimeout(() => {
      reject(
        new Error(`${what}: not in time; log: ${this.logs.slice(-shownLinesMax).join(" | ")}`),
      );
    }, deadlineMs);
    try {
      await promise;
    } finally {
      clearTimeout(late);
      this.#waiting.delete(look);
    }
  }
}

export interface TestMember {
  readonly id: RaftId;
  readonly seen: Seen;
  readonly transport: LivePeerTransport;
  readonly url: string;
  readonly registry: MetricRegistry;
  stop(): Promise<void>;
}

export interface MemberOptions {
  readonly clusterId?: bigint;
  readonly limits?: Partial<PeerLimits>;
  readonly services?: readonly PeerService[];
  readonly heartbeatIntervalMs?: number;
  readonly listenUrl?: string;
  readonly tls?: PeerTls;
}

function testLogger(seen: Seen): Logger {
  const add = (message: string, fields?: LogFields): void => {
    seen.log(message, fields);
  };
  return {
    debug: add,
    info: add,
    warn: add,
    error: add,
    fatal(message) {
      throw new Error(message);
    },
  };
}

/** Starts a member's transport and peer port. */
export async function startMember(id: RaftId, options: MemberOptions = {}): Promise<TestMember> {
  const seen = new Seen();
  const registry = new MetricRegistry();
  const turn = createNodeTurn();
  const log = testLogger(seen);
  const tls = options.tls === undefined ? {} : { tls: options.tls };
  const scheme = options.tls === undefined ? "http" : "https";
  const transport = createPeerTransport({
    ...tls,
    identity: { localId: id, clusterId: options.clusterId ?? testClusterId, peerUrls: [] },
    ...{ events: seen, clock, turn, log, metrics: createPeerMetrics(registry) },
    limits: { dialIntervalMs: 5, ...options.limits },
    ...(options.heartbeatIntervalMs === undefined
      ? {}
      : { heartbeatIntervalMs: options.heartbeatIntervalMs }),
  });
  const listener = await new Promise<PeerListener>((resolve, reject) => {
    const services = options.services ?? [];
    const urls = [options.listenUrl ?? `${scheme}://127.0.0.1:0`];
    listenPeers(
      { ...tls, urls, inbound: transport.inbound, services, clock, log },
      (error, opened) => {
        if (opened === null) reject(error ?? new Error("not opened"));
        else resolve(opened);
      },
    );
  });
  return {
    ...{ id, seen, transport, registry },
    url: `${scheme}://127.0.0.1:${listener.ports[0]!}`,
    async stop() {
      await new Promise<void>((resolve) => {
        transport.stop(resolve);
      });
      await new Promise<void>((resolve) => {
        listener.close(resolve);
      });
    },
  };
}

/** Both know each other, and all four streams are up. */
export async function connect(a: TestMember, b: TestMember): Promise<void> {
  a.transport.addPeer(b.id, [b.url]);
  b.transport.addPeer(a.id, [a.url]);
  for (const { seen } of [a, b]) {
    await seen.until(() => streamsUp(seen) === 4, "streams");
  }
}

function streamsUp(seen: Seen): number {
  return seen.logs.filter((line) => line === established).length;
}

export const established = "established TCP streaming connection with remote peer";

export const blank: Message = {
  type: 9,
  to: 0n,
  from: 0n,
  term: 1,
  logTerm: 0,
  index: 0,
  entries: [],
  commit: 0,
  snapshot: null,
  reject: false,
  rejectHint: 0,
  context: emptyBytes,
};

export function append(
  from: RaftId,
  to: RaftId,
  index: number,
  entries: readonly Entry[],
): Message {
  return { ...blank, type: 3, from, to, term: 5, logTerm: 5, index, entries, commit: index };
}

export function entry(index: number, bytes = 4): Entry {
  return { type: 0, term: 5, index, data: new Uint8Array(bytes).fill(index & 0xff) };
}
