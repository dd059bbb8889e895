/**
 * The connection to one endpoint.
 *
 * CH1  A call is started only while the channel is ready: until `start` returns a call, nothing of
 *      it has left, so it may be started elsewhere.
 * CH2  A channel that was asked to connect stays at it until it is closed: a lost connection is
 *      made anew, at once the first time, then with growing delays.
 * CH3  An attempt to connect ends within `connectTimeoutMs`; after `close` none is under way.
 *
 *          connect()        ready                close()
 *   idle ----------> connecting ----------> ready -------> closed
 *                      ^    |                 | lost
 *                      |    v refused, late   |
 *                      +- failed              |
 *                      +----------------------+
 */
import {
  Channel as GrpcChannel,
  ChannelCredentials,
  connectivityState,
  type Metadata,
} from "@grpc/grpc-js";

import type { ClientSettings } from "./client-options.ts";
import { directPolicy, type PolicyOwner, type Subchannel } from "./direct-policy.ts";
import type { Endpoint } from "./endpoints.ts";
import { TlsCredentials } from "./tls-credentials.ts";

export type ChannelState = "idle" | "connecting" | "ready" | "failed" | "closed";

/** What grpc-js calls on a call; messages come with their five bytes of framing. */
export type CallListener = Parameters<Subchannel["createCall"]>[3];
export type CallStatus = Parameters<CallListener["onReceiveStatus"]>[0];
/** A call that was started. */
export type RawCall = Pick<
  ReturnType<Subchannel["createCall"]>,
  "cancelWithStatus" | "sendMessageWithContext" | "startRead" | "halfClose"
>;

/** A channel as calls and the balancer see it; tests have a fake. */
export interface Channel {
  /** As the user wrote it. */
  readonly endpoint: string;
  readonly state: ChannelState;
  /** Why the last attempt failed or the connection broke; null: nothing went wrong so far. */
  readonly lastError: Error | null;
  /** Starts connecting, or hurries an attempt that waits. */
  connect(): void;
  /** Null unless ready (CH1). */
  start(path: string, metadata: Metadata, listener: CallListener): RawCall | null;
  close(): void;
}

export type ChannelSettings = Pick<
  ClientSettings,
  "tls" | "connectTimeoutMs" | "keepAlive" | "responseBytesMax" | "userAgent" | "clock"
>;

const reconnectFirstMs = 20;
const reconnectLastMs = 1_000;
/** A connection that lasted this long was a good one: the next delay starts anew. */
const stableMs = 5_000;
/** grpc-js adds a date to errors of connections, and a frame of its own. */
const framing =
  /^(?:No connection established\. Last error: )?(?:Error: )?(.*?)(?: \(\d{4}-[^)]*Z\))?(?:\. Resolution note: .*)?$/su;

/** What Node says of an attempt that `connectSignal` ended. */
const abortedText = /operation was aborted/u;

const stateNames: Record<connectivityState, ChannelState> = {
  [connectivityState.IDLE]: "idle",
  [connectivityState.CONNECTING]: "connecting",
  [connectivityState.READY]: "ready",
  [connectivityState.TRANSIENT_FAILURE]: "failed",
  [connectivityState.SHUTDOWN]: "closed",
};

function isSecure(endpoint: Endpoint, settings: ChannelSettings): boolean {
  return endpoint.tls === "yes" || (endpoint.tls === "optional" && settings.tls !== null);
}

export class EndpointChannel implements Channel, PolicyOwner {
  readonly endpoint: string;
  readonly #authority: string;
  readonly #settings: ChannelSettings;
  readonly #channel: GrpcChannel;
  readonly #onChange: (channel: Channel) => void;
  #state: ChannelState = "idle";
  #subchannel: Subchannel | null = null;
  /** What grpc-js told last; becomes `#subchannel` a moment later. */
  #announced: Subchannel | null = null;
  #lastError: Error | null = null;
  /** Why the handshake of the attempt under way failed, before grpc-js tells of the failure. */
  #handshakeError: Error | null = null;
  /** One for each attempt under way. */
  readonly #attempts = new Map<AbortController, { cancel(): void }>();
  #reconnection: { cancel(): void } | null = null;
  #readyAt = 0;
  #reconnectMs = 0;

  constructor(endpoint: Endpoint, settings: ChannelSettings, onChange: (channel: Channel) => void) {
    this.endpoint = endpoint.text;
    this.#authority = endpoint.authority;
    this.#settings = settings;
    this.#onChange = onChange;
    const noteHandshake = (error: Error): void => {
      this.#handshakeError = error;
    };
    const credentials = isSecure(endpoint, settings)
      ? new TlsCredentials(settings.tls ?? (() => ({})), endpoint.host, noteHandshake)
      : ChannelCredentials.createInsecure();
    this.#channel = new GrpcChannel(endpoint.target, credentials, {
      ...directPolicy(this),
      ...channelOptions(settings),
      "grpc.default_authority": endpoint.authority,
    });
  }

  get state(): ChannelState {
    return this.#state;
  }
  get lastError(): Error | null {
    return this.#lastError;
  }

  connect(): void {
    if (this.#state !== "closed" && this.#state !== "ready") {
      this.#channel.getConnectivityState(true);
    }
  }

  start(path: string, metadata: Metadata, listener: CallListener): RawCall | null {
    if (this.#subchannel === null) return null;
    try {
      return this.#subchannel.createCall(metadata, this.#authority, path, listener);
    } catch (error) {
      // The connection is going away; grpc-js reports its end to stateChanged in a moment.
      this.#subchannel = null;
      this.#lastError = error instanceof Error ? error : new Error(String(error));
      return null;
    }
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#subchannel = null;
    this.#reconnection?.cancel();
    this.#endAttempts((attempt) => attempt.abort());
    this.#channel.close();
  }

  connectSignal(): AbortSignal {
    const { clock, connectTimeoutMs } = this.#settings;
    const attempt = new AbortController();
    const giveUp = (): void => {
      this.#attempts.delete(attempt);
      attempt.abort();
    };
    if (this.#state === "closed") attempt.abort();
    else this.#attempts.set(attempt, clock.after(connectTimeoutMs, giveUp));
    return attempt.signal;
  }

  stateChanged(state: connectivityState, subchannel: Subchannel | null, error: string): void {
    this.#announced = subchannel;
    // grpc-js tells of a connection just before calls can use it.
    if (subchannel !== null) queueMicrotask(() => this.#take(subchannel));
    else this.#enter(stateNames[state], null, error);
  }

  #take(subchannel: Subchannel): void {
    if (this.#announced === subchannel) this.#enter("ready", subchannel, "");
  }

  #enter(state: ChannelState, subchannel: Subchannel | null, error: string): void {
    if (this.#state === "closed") return;
    const wasReady = this.#state === "ready";
    this.#state = state;
    this.#subchannel = subchannel;
    if (state === "ready") this.#becameReady();
    else if (wasReady) this.#wasLost();
    else if (state === "failed") this.#hasFailed(error);
    this.#onChange(this);
  }

  #becameReady(): void {
    this.#endAttempts(() => undefined); // the connection itself must not be aborted any more
    this.#handshakeError = null;
    this.#readyAt = this.#settings.clock.now();
  }

  #wasLost(): void {
    const { clock } = this.#settings;
    this.#lastError = new Error("the connection was lost");
    const isStable = clock.now() - this.#readyAt >= stableMs;
    this.#reconnectMs = isStable ? 0 : nextDelay(this.#reconnectMs);
    if (isStable) this.connect();
    else this.#reconnection = clock.after(this.#reconnectMs, () => this.connect());
  }

  #hasFailed(text: string): void {
    const { connectTimeoutMs } = this.#settings;
    const reason = abortedText.test(text)
      ? `no connection within ${String(connectTimeoutMs)} ms`
      : (framing.exec(text)?.[1] ?? text);
    this.#lastError = this.#handshakeError ?? new Error(reason);
    this.#handshakeError = null;
    this.connect(); // grpc-js tries again after its delay if it is asked once (CH2)
  }

  #endAttempts(end: (attempt: AbortController) => void): void {
    for (const [attempt, timer] of this.#attempts) {
      timer.cancel();
      end(attempt);
    }
    this.#attempts.clear();
  }
}

function nextDelay(delayMs: number): number {
  return delayMs === 0 ? reconnectFirstMs : Math.min(delayMs * 2, reconnectLastMs);
}

/**
 * What a member may send ahead on a stream and on a connection: with HTTP/2's 64 KiB a catching-up
 * watch or a large range waits for a round trip after each 64 KiB.
 */
const flowWindowBytes = 1024 * 1024;

function channelOptions(settings: ChannelSettings): Record<string, string | number> {
  const { keepAlive } = settings;
  return {
    "grpc.enable_channelz": 0,
    "grpc.enable_retries": 0,
    // One connection per channel: nothing is shared with other clients of the process.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.client_idle_timeout_ms": 2 ** 31 - 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,
    "grpc.dns_min_time_between_resolutions_ms": 1_000,
    "grpc-node.flow_control_window": flowWindowBytes,
    "grpc.max_receive_message_length": settings.responseBytesMax,
    ...(settings.userAgent === "" ? {} : { "grpc.primary_user_agent": settings.userAgent }),
    ...(keepAlive === null
      ? {}
      : {
          "grpc.keepalive_time_ms": keepAlive.intervalMs,
          "grpc.keepalive_timeout_ms": keepAlive.timeoutMs,
          "grpc.keepalive_permit_without_calls": keepAlive.withoutCalls ? 1 : 0,
        }),
  };
}
