/** The sending half of a socket, as the HTTP/2 connection sees it. */
import type { Socket } from "node:net";
import type { Timer, Clock } from "../../base/ports.ts";
import type { Sink } from "../../http2/outbound.ts";

/** Byte counts of one server, for metrics. */
export interface TransportStats {
  connections: number;
  connectionsTotal: number;
  connectionsRefused: number;
  handshakesPending: number;
  handshakesFailed: number;
  bytesIn: number;
  bytesOut: number;
}

const nothing = new Uint8Array(0);

export class SocketSink implements Sink {
  /** Runs when the socket took all it was given. */
  onDrained: () => void = () => undefined;
  private readonly socket: Socket;
  private readonly copies: boolean;
  private readonly stats: TransportStats;
  private readonly clock: Clock;
  private readonly lingerMs: number;
  private linger: Timer | null = null;
  private readonly written: () => void;

  /** `isTls`: written bytes stay in use until the write's callback. */
  constructor(
    socket: Socket,
    isTls: boolean,
    deps: { stats: TransportStats; clock: Clock; lingerMs: number },
  ) {
    this.socket = socket;
    this.copies = !isTls;
    this.stats = deps.stats;
    this.clock = deps.clock;
    this.lingerMs = deps.lingerMs;
    this.written = () => {
      if (this.socket.writableLength === 0) this.onDrained();
    };
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.socket;
    if (socket.destroyed) return true;
    this.stats.bytesOut += bytes.length;
    if (!this.copies) {
      socket.write(bytes, this.written);
      return false;
    }
    // Most writes end within the call: the kernel has a copy. A callback for each would cost more
    // than this second, empty write behind the few that do not.
    socket.write(bytes);
    if (socket.writableLength === 0) return true;
    socket.write(nothing, this.written);
    return false;
  }

  end(): void {
    if (this.socket.destroyed) return;
    this.socket.end();
    // The peer may never close its half.
    this.linger = this.clock.after(this.lingerMs, () => {
      this.socket.destroy();
    });
  }

  destroy(): void {
    this.linger?.cancel();
    this.socket.destroy();
  }

  /** The socket closed. */
  closed(): void {
    this.linger?.cancel();
  }

  setReading(on: boolean): void {
    if (on) this.socket.resume();
    else this.socket.pause();
  }
}
