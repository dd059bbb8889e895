import { errLeaseNotFound } from "../../base/etcd-errors.ts";
import { grpcCode } from "../../base/grpc-code.ts";
import {
  decodeLeaseGrant,
  decodeLeaseList,
  decodeLeaseTimeToLive,
  encodeLeaseGrant,
  encodeLeaseId,
  encodeLeaseTimeToLive,
  type LeaseList,
} from "../../codec/client/lease.ts";
import { decodeHeaderResult, type HeaderResult } from "../../codec/client/kv.ts";
import { emptyBytes } from "../../base/bytes.ts";
import type { Caller, Method } from "../caller.ts";
import { systemClock, type ClientClock } from "../clock.ts";
import { EtcdError, LeaseNotFoundError } from "../errors.ts";
import { toInt, toLeaseId } from "../input.ts";
import type { CallOptions, KeepAlive, Lease, LeaseGrant, LeaseTimeToLive } from "../types.ts";
import { KeepAliveHandle } from "./keep-alive.ts";
import { keepAliveMethod, Renewer } from "./renewer.ts";

const service = "/etcdserverpb.Lease/";

const grantMethod: Method<{ ttlSeconds: number; id: bigint }, LeaseGrant> = {
  path: `${service}LeaseGrant`,
  retry: "read", // a lease granted twice: one of them runs out
  encode: encodeLeaseGrant,
  decode: decodeLeaseGrant,
};
/** With an id of the caller's, a second try would find it taken. */
const grantIdMethod = { ...grantMethod, retry: "write" as const };
const revokeMethod: Method<bigint, HeaderResult> = {
  path: `${service}LeaseRevoke`,
  retry: "read",
  encode: encodeLeaseId,
  decode: decodeHeaderResult,
};
const timeToLiveMethod: Method<{ id: bigint; keys: boolean }, LeaseTimeToLive> = {
  path: `${service}LeaseTimeToLive`,
  retry: "read",
  encode: encodeLeaseTimeToLive,
  decode: decodeLeaseTimeToLive,
};
const leasesMethod: Method<null, LeaseList> = {
  path: `${service}LeaseLeases`,
  retry: "read",
  encode: () => emptyBytes,
  decode: decodeLeaseList,
};

/** How often a renewal is tried on another stream after its stream broke. */
const onceTriesMax = 3;
/** Grants of which the TTL is remembered until they are kept alive; the oldest is forgotten. */
const grantsKnownMax = 1_000;

/** Leases, and their renewal over one stream (renewer.ts). */
export class LeaseArea implements Lease {
  readonly #caller: Caller;
  readonly #clock: ClientClock;
  readonly #renewer: Renewer;
  /** TTL and time of the call of leases granted here. */
  readonly #granted = new Map<bigint, { ttlMs: number; askedAt: number }>();

  constructor(caller: Caller, clock: ClientClock = systemClock) {
    this.#caller = caller;
    this.#clock = clock;
    this.#renewer = new Renewer(caller, clock);
  }

  async grant(
    ttlSeconds: number,
    options: CallOptions & { readonly id?: bigint } = {},
  ): Promise<LeaseGrant> {
    const request = { ttlSeconds: toInt(ttlSeconds, "ttlSeconds"), id: toLeaseId(options.id) };
    const askedAt = this.#clock.now();
    const method = request.id === 0n ? grantMethod : grantIdMethod;
    const grant = await this.#caller.call(method, request, options);
    if (this.#granted.size >= grantsKnownMax) {
      const [oldest] = this.#granted.keys();
      this.#granted.delete(oldest!);
    }
    this.#granted.set(grant.id, { ttlMs: grant.ttlSeconds * 1_000, askedAt });
    return grant;
  }

  async revoke(id: bigint, options: CallOptions = {}): Promise<HeaderResult> {
    const answer = await this.#caller.call(revokeMethod, toLeaseId(id), options);
    this.#granted.delete(id);
    this.#renewer.revoked(id);
    return answer;
  }

  keepAlive(id: bigint, options: { readonly signal?: AbortSignal } = {}): KeepAlive {
    const handle = new KeepAliveHandle(toLeaseId(id), (stopped) => {
      this.#renewer.remove(stopped);
    });
    if (options.signal?.aborted === true) {
      handle.stop();
      return handle;
    }
    this.#renewer.add(handle, this.#granted.get(id));
    this.#granted.delete(id);
    if (options.signal !== undefined) handle.follow(options.signal);
    return handle;
  }

  async keepAliveOnce(id: bigint, options: CallOptions = {}): Promise<LeaseGrant> {
    const request = toLeaseId(id);
    for (let tries = 1; ; tries++) {
      try {
        const answer = await this.#renewOnce(request, options);
        if (answer.ttlSeconds > 0) return answer;
        throw new LeaseNotFoundError(errLeaseNotFound.code, errLeaseNotFound.message);
      } catch (error) {
        if (tries === onceTriesMax || !EtcdError.from(error).retryable) throw error;
      }
    }
  }

  /** One request on a stream of its own. */
  #renewOnce(id: bigint, options: CallOptions): Promise<LeaseGrant> {
    return new Promise((resolve, reject) => {
      const receiver = {
        message: (answer: LeaseGrant) => {
          resolve(answer);
        },
        ended: () => {
          reject(new EtcdError(grpcCode.unavailable, "The stream ended without an answer"));
        },
        failed: reject,
      };
      const stream = this.#caller.open(keepAliveMethod, receiver, options);
      stream.send(id);
      stream.end();
    });
  }

  timeToLive(
    id: bigint,
    options: CallOptions & { readonly keys?: boolean } = {},
  ): Promise<LeaseTimeToLive> {
    const request = { id: toLeaseId(id), keys: options.keys === true };
    return this.#caller.call(timeToLiveMethod, request, options);
  }

  leases(options: CallOptions = {}): Promise<LeaseList> {
    return this.#caller.call(leasesMethod, null, options);
  }
}
