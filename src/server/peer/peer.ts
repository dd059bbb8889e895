/**
 * One other member: its streams in both directions, its pipeline, its snapshots, its probes. A slow
 * or dead peer fills only what is its own.
 */
import type { Logger } from "../../base/log.ts";
import type { Clock, Turn } from "../../base/ports.ts";
import type { Message } from "../../raft/message.ts";
import type { RaftId } from "../../raft/types.ts";
import type { SharedEntries } from "./append-frames.ts";
import type { Dialer } from "./dial-port.ts";
import { messageType } from "./message-type.ts";
import { hex } from "./peer-headers.ts";
import type { PeerLimits } from "./peer-limits.ts";
import type { PeerMetrics } from "./peer-metrics.ts";
import type { PeerIdentity, StreamHold, StreamKind, StreamSink } from "./peer-options.ts";
import type { PeerEvents, SnapshotSource } from "./peer-port.ts";
import { PeerStatus } from "./peer-status.ts";
import { Pipeline } from "./pipeline.ts";
import { Prober } from "./prober.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import { StreamReader } from "./stream-reader.ts";
import { StreamWriter } from "./stream-writer.ts";
import { UrlPicker } from "./url-picker.ts";

export interface PeerDeps {
  readonly identity: PeerIdentity;
  readonly events: PeerEvents;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: Logger;
  readonly metrics: PeerMetrics;
  readonly limits: PeerLimits;
  readonly dialer: Dialer;
  readonly shared: SharedEntries;
  readonly wantFlush: (writer: StreamWriter) => void;
  /** Reports, but not before the call that led to it returned. */
  readonly unreachable: (id: RaftId) => void;
  readonly snapshotSent: (id: RaftId, isDelivered: boolean) => void;
}

/** What a channel to one member needs. */
function channelDeps(deps: PeerDeps, id: RaftId, urls: readonly string[]) {
  const [local, remote] = [hex(deps.identity.localId), hex(id)];
  const { clock, log, metrics } = deps;
  return {
    ...deps,
    ...{ local, remote, peerId: id, picker: new UrlPicker(urls) },
    status: new PeerStatus({ clock, log, metrics, local, remote }),
    unreachable: () => {
      deps.unreachable(id);
    },
    sent: (isDelivered: boolean) => {
      deps.snapshotSent(id, isDelivered);
    },
  };
}

type ChannelDeps = ReturnType<typeof channelDeps>;

export class Peer {
  readonly #deps: ChannelDeps;
  readonly #writers: Readonly<Record<StreamKind, StreamWriter>>;
  readonly #readers: readonly StreamReader[];
  readonly #pipeline: Pipeline;
  readonly #snapshots: SnapshotSender;
  readonly #prober: Prober;
  #urls: readonly string[];

  constructor(given: PeerDeps, id: RaftId, urls: readonly string[]) {
    const deps = channelDeps(given, id, urls);
    const { log, remote } = deps;
    log.info("starting remote peer", { "remote-peer-id": remote });
    this.#deps = deps;
    this.#urls = urls;
    this.#pipeline = new Pipeline(deps);
    this.#writers = {
      msgapp: new StreamWriter({ ...deps, kind: "msgapp" }),
      message: new StreamWriter({ ...deps, kind: "message" }),
    };
    this.#snapshots = new SnapshotSender(deps);
    this.#prober = new Prober(deps, urls);
    this.#readers = [
      new StreamReader({ ...deps, kind: "msgapp" }),
      new StreamReader({ ...deps, kind: "message" }),
    ];
    log.info("started remote peer", { "remote-peer-id": remote });
  }

  get activeSince(): number | null {
    return this.#deps.status.activeSince;
  }

  /** The one in use first. */
  get urls(): readonly string[] {
    const picked = this.#deps.picker.pick();
    return [picked, ...this.#urls.filter((url) => url !== picked)];
  }

  send(message: Message): void {
    const { msgapp, message: other } = this.#writers;
    if (message.type === messageType.app && msgapp.isAttached) msgapp.send(message);
    else if (other.isAttached) other.send(message);
    else this.#pipeline.send(message);
  }

  sendSnapshot(source: SnapshotSource): void {
    this.#snapshots.send(source);
  }

  attach(kind: StreamKind, sink: StreamSink): StreamHold {
    return this.#writers[kind].attach(sink);
  }

  update(urls: readonly string[]): void {
    this.#urls = urls;
    this.#deps.picker.update(urls);
    this.#prober.update(urls);
  }

  stop(): void {
    const { log, remote, status } = this.#deps;
    log.info("stopping remote peer", { "remote-peer-id": remote });
    this.#writers.msgapp.stop();
    this.#writers.message.stop();
    this.#pipeline.stop();
    this.#snapshots.stop();
    this.#prober.stop();
    for (const reader of this.#readers) reader.stop();
    status.forget();
    log.info("stopped remote peer", { "remote-peer-id": remote });
  }
}

/** A member we know only by what it sent us: it gets answers, and we dial no stream. */
export class Remote {
  readonly urls: readonly string[];
  readonly #deps: ChannelDeps;
  readonly #pipeline: Pipeline;

  constructor(given: PeerDeps, id: RaftId, urls: readonly string[]) {
    this.urls = urls;
    this.#deps = channelDeps(given, id, urls);
    this.#pipeline = new Pipeline(this.#deps);
  }

  send(message: Message): void {
    this.#pipeline.send(message);
  }

  stop(): void {
    this.#pipeline.stop();
    this.#deps.status.forget();
  }
}
