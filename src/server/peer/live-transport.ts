/** The peer protocol over real sockets. */
import type { Clock } from "../../base/ports.ts";
import { createDialer } from "./dialer.ts";
import { PeerClient } from "./peer-client.ts";
import { peerLimits, type PeerLimits } from "./peer-limits.ts";
import type { LivePeerTransport, PeerTls, PeerTransportOptions } from "./peer-options.ts";
import { Transport } from "./transport.ts";

export function createPeerTransport(options: PeerTransportOptions): LivePeerTransport {
  return new Transport(options, createDialer(options.clock, options.tls));
}

/** For requests to members before there is a transport: joining, asking for versions. */
export function createPeerClient(options: {
  readonly clock: Clock;
  readonly tls?: PeerTls;
  readonly limits?: Partial<PeerLimits>;
}): PeerClient {
  const { clock, tls } = options;
  const limits = { ...peerLimits, ...options.limits };
  return new PeerClient({ dialer: createDialer(clock, tls), clock, limits });
}
