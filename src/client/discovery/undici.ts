/**
 * An interceptor for undici: requests to `http://<service>.etcd/` go to the instances of the
 * service, one after the other. undici itself is not needed here; its parts are typed by their
 * shape.
 */
import { grpcCode } from "../../base/grpc-code.ts";
import { pause, systemClock } from "../clock.ts";
import { EtcdError } from "../errors.ts";
import { hostPortOf } from "./instance.ts";
import type { ServiceRegistry } from "./registry.ts";
import type { ServiceSet } from "./service-set.ts";

/** What is used of a request of undici. */
export interface UndiciRequest {
  readonly origin?: string | URL;
}

/** Told when there is nowhere to send a request; undici 6 calls it `onError`. */
export interface UndiciHandler {
  onResponseError?(controller: unknown, error: Error): void;
  onError?(error: Error): void;
}

export type UndiciInterceptor = <Request extends UndiciRequest, Handler extends object>(
  dispatch: (request: Request, handler: Handler) => boolean,
) => (request: Request, handler: Handler) => boolean;

export interface UndiciDiscovery {
  /** For `new Agent().compose(interceptor)`. Other hosts pass as they are. */
  readonly interceptor: UndiciInterceptor;
  /** Stops following the services; requests to them fail from then on. */
  close(): Promise<void>;
}

export interface UndiciOptions {
  /** End of the host names that are services; the rest of the name is the service. Default ".etcd". */
  readonly suffix?: string;
  /** Longest wait for the first look at a service's instances. Default 5,000. */
  readonly readyTimeoutMs?: number;
}

/** Nobody serves what was asked for. */
export class NoInstanceError extends EtcdError {
  readonly service: string;

  constructor(service: string, why = "none is registered") {
    super(grpcCode.unavailable, `No instance of "${service}": ${why}`);
    this.service = service;
  }
}

const readyTimeoutMsDefault = 5_000;

/** Host names are lower case, so only services with such a name can be reached. */
export function undiciDiscovery(
  registry: ServiceRegistry,
  options: UndiciOptions = {},
): UndiciDiscovery {
  const directory = new Directory(registry, options);
  return {
    interceptor: (dispatch) => (request, handler) => {
      const origin = request.origin === undefined ? null : new URL(request.origin);
      const service = origin === null ? null : directory.serviceOf(origin);
      if (origin === null || service === null) return dispatch(request, handler);
      const send = (): boolean => {
        const host = directory.next(service);
        if (host === null) throw new NoInstanceError(service);
        return dispatch({ ...request, origin: `${origin.protocol}//${host}` }, handler);
      };
      if (directory.isReady(service)) return attempt(send, handler);
      void directory.ready(service).then(
        () => attempt(send, handler),
        (error: unknown) => fail(handler, error),
      );
      return true;
    },
    close: () => directory.close(),
  };
}

function attempt(send: () => boolean, handler: object): boolean {
  try {
    return send();
  } catch (error) {
    if (!(error instanceof NoInstanceError)) throw error;
    fail(handler, error);
    return true;
  }
}

function fail(handler: UndiciHandler, error: unknown): void {
  const reason = EtcdError.from(error);
  if (handler.onResponseError !== undefined) handler.onResponseError(null, reason);
  else handler.onError?.(reason);
}

interface Followed {
  readonly set: ServiceSet;
  isReady: boolean;
  /** Whose turn it is. */
  turn: number;
}

/** The services that were asked for, followed from their first request on. */
class Directory {
  readonly #registry: ServiceRegistry;
  readonly #suffix: string;
  readonly #readyTimeoutMs: number;
  readonly #followed = new Map<string, Followed>();
  #isClosed = false;

  constructor(registry: ServiceRegistry, options: UndiciOptions) {
    this.#registry = registry;
    this.#suffix = options.suffix ?? ".etcd";
    this.#readyTimeoutMs = options.readyTimeoutMs ?? readyTimeoutMsDefault;
  }

  serviceOf({ hostname }: URL): string | null {
    const isService = hostname.endsWith(this.#suffix) && hostname.length > this.#suffix.length;
    return isService ? hostname.slice(0, -this.#suffix.length) : null;
  }

  isReady(service: string): boolean {
    return this.#followed.get(service)?.isReady === true;
  }

  async ready(service: string): Promise<void> {
    if (this.#isClosed) throw new NoInstanceError(service, "discovery is closed");
    const followed = this.#follow(service);
    const read = new AbortController();
    let last: Error | null = null;
    const failed = (error: Error): void => void (last = error);
    followed.set.on("error", failed);
    const late = pause(this.#readyTimeoutMs, systemClock, read.signal);
    await Promise.race([followed.set.ready, late]);
    read.abort();
    followed.set.off("error", failed);
    if (followed.isReady) return;
    const why = (last as Error | null)?.message ?? "etcd did not answer in time";
    throw new NoInstanceError(service, why);
  }

  /** host:port of the instance whose turn it is; null if there is none. */
  next(service: string): string | null {
    const followed = this.#followed.get(service);
    const instances = followed?.set.instances ?? [];
    for (let tries = 0; followed !== undefined && tries < instances.length; tries++) {
      followed.turn = (followed.turn + 1) % instances.length;
      const to = hostPortOf(instances[followed.turn]!.address);
      if (to !== undefined) return `${to.host.includes(":") ? `[${to.host}]` : to.host}:${to.port}`;
    }
    return null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const all = [...this.#followed.values()];
    this.#followed.clear();
    await Promise.all(all.map(({ set }) => set.close()));
  }

  #follow(service: string): Followed {
    const known = this.#followed.get(service);
    if (known !== undefined) return known;
    const followed = { set: this.#registry.watch(service), isReady: false, turn: -1 };
    followed.set.on("change", () => void (followed.isReady = true));
    this.#followed.set(service, followed);
    return followed;
  }
}
