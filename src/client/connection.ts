/**
 * The real door of the areas to the cluster: channels, tokens and the calls under way.
 *
 * CO1  After `close` nothing is under way: every call and stream has failed with
 *      ClientClosedError, no timer is set, every connection is ending.
 */
import { ActiveCalls } from "./active-calls.ts";
import { Balancer, type MakeChannel } from "./balancer.ts";
import { frame, type CallParts, type Tickets } from "./call-parts.ts";
import type { Caller, CallStream, Method, StreamReceiver } from "./caller.ts";
import { EndpointChannel } from "./channel.ts";
import type { ClientSettings } from "./client-options.ts";
import { parseEndpoint } from "./endpoints.ts";
import { ClientClosedError } from "./errors.ts";
import { StreamCall } from "./stream-call.ts";
import { authenticate, openTicket, TokenSource } from "./token.ts";
import type { CallOptions } from "./types.ts";
import { UnaryCall } from "./unary-call.ts";

const noTickets: Tickets = {
  ticket: openTicket,
  fetch: () => Promise.resolve(),
  refused: () => undefined,
  user: null,
  hasFixedToken: false,
};

/** Calls through one balancer. */
class RoutedCaller implements Caller {
  readonly closed: AbortSignal;
  readonly #parts: CallParts;
  readonly #connection: Connection;

  constructor(connection: Connection, parts: CallParts) {
    this.closed = connection.closed;
    this.#connection = connection;
    this.#parts = parts;
  }

  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options?: CallOptions,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (this.closed.aborted) throw new ClientClosedError();
      const framed = frame(method.encode(request), this.#parts.settings.requestBytesMax);
      new UnaryCall(this.#parts, method, framed, options, resolve, reject).begin();
    });
  }

  open<Request, Response>(
    method: Method<Request, Response>,
    receiver: StreamReceiver<Response>,
    options?: CallOptions,
  ): CallStream<Request> {
    const stream = new StreamCall(this.#parts, method, receiver, options);
    if (this.closed.aborted) queueMicrotask(() => stream.abandon());
    else stream.begin();
    return stream;
  }

  at(endpoint: string): Caller {
    return this.#connection.at(endpoint);
  }

  tokenRefused(): void {
    this.#connection.tokenRefused();
  }
}

export class Connection {
  readonly settings: ClientSettings;
  /** Calls through any endpoint. */
  readonly caller: Caller;
  readonly #makeChannel: MakeChannel;
  readonly #active: ActiveCalls;
  readonly #balancer: Balancer;
  readonly #tokens: TokenSource;
  readonly #closed = new AbortController();
  /** Callers of single endpoints, by the endpoint's text. */
  readonly #pinned = new Map<string, { readonly caller: Caller; readonly balancer: Balancer }>();

  /** @param makeChannel for tests; by default grpc-js's connections. */
  constructor(settings: ClientSettings, makeChannel?: MakeChannel) {
    this.settings = settings;
    this.#makeChannel =
      makeChannel ?? ((endpoint, onChange) => new EndpointChannel(endpoint, settings, onChange));
    this.#active = new ActiveCalls(settings.clock);
    this.#balancer = new Balancer(settings.endpoints, this.#makeChannel, settings.clock);
    const open = new RoutedCaller(this, this.#parts(this.#balancer, noTickets));
    this.#tokens = new TokenSource(settings, (user) => open.call(authenticate, user));
    this.caller = new RoutedCaller(this, this.#parts(this.#balancer, this.#tokens));
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }
  get endpoints(): string[] {
    return this.#balancer.endpoints;
  }

  /** Throws TypeError when one of them is no endpoint, and changes nothing. */
  setEndpoints(texts: readonly string[]): void {
    if (texts.length === 0) throw new TypeError("At least one endpoint is required");
    this.#balancer.setEndpoints(texts.map(parseEndpoint));
  }

  at(endpoint: string): Caller {
    let pinned = this.#pinned.get(endpoint);
    if (pinned === undefined) {
      const { clock } = this.settings;
      const balancer = new Balancer([parseEndpoint(endpoint)], this.#makeChannel, clock);
      const caller = new RoutedCaller(this, this.#parts(balancer, this.#tokens));
      pinned = { balancer, caller };
      this.#pinned.set(endpoint, pinned);
    }
    return pinned.caller;
  }

  tokenRefused(): void {
    this.#tokens.refusedInStream();
  }

  /** Fetches a token now: for who wants to hear of a wrong password before anything else. */
  signIn(): Promise<void> {
    return this.#tokens.fetch();
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new ClientClosedError());
    this.#active.close();
    this.#balancer.close();
    for (const { balancer } of this.#pinned.values()) balancer.close();
    this.#pinned.clear(); // CO1
  }

  #parts(balancer: Balancer, tickets: Tickets): CallParts {
    return { settings: this.settings, balancer, active: this.#active, tickets };
  }
}
