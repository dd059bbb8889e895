// A lease with its renewals: what locks, candidacies and registrations stand on.
//
// SN1  `lost` fires once, when the session is over: its lease is gone or was not renewed for its
//      whole TTL (a SessionExpiredError), it was closed, or it was orphaned (a CanceledError).
// SN2  Whoever still holds something under the session when `lost` fires holds it no more: keys
//      attached to the lease are deleted with it, and others may take their place.
import { grpcCode } from "../../base/grpc-code.ts";
import { leaseIdText } from "./lease-id.ts";
import { CanceledError, LeaseNotFoundError, SessionExpiredError } from "../errors.ts";
import type { CallOptions, KeepAlive, KvWatchLease, Lease } from "../types.ts";

const ttlSecondsDefault = 60;

export interface SessionOptions {
  /** Seconds, 1 or more; the server may raise it. Default 60. */
  readonly ttlSeconds?: number;
  /** A lease that exists already, instead of a new one; `ttlSeconds` then says nothing. */
  readonly leaseId?: bigint;
  /** Ends the making of the session, not the session. */
  readonly signal?: AbortSignal;
}

interface LeaseUser {
  readonly lease: Lease;
}

export class Session<Client extends LeaseUser = KvWatchLease> {
  /** What it was made with: recipes go on from here. */
  readonly client: Client;
  readonly leaseId: bigint;
  readonly #keepAlive: KeepAlive;
  readonly #lost = new AbortController();

  private constructor(client: Client, leaseId: bigint) {
    this.client = client;
    this.leaseId = leaseId;
    this.#keepAlive = client.lease.keepAlive(leaseId);
    const { lost } = this.#keepAlive;
    const expired = (): void => {
      const text = `session of lease ${leaseIdText(leaseId)} has expired`;
      const error = new SessionExpiredError(grpcCode.notFound, text, { cause: lost.reason });
      this.#lost.abort(error);
    };
    if (lost.aborted) expired();
    else lost.addEventListener("abort", expired, { once: true });
  }

  /** Grants a lease (or takes the given one) and renews it from now on. */
  static async create<Client extends LeaseUser>(
    client: Client,
    options: SessionOptions = {},
  ): Promise<Session<Client>> {
    const { ttlSeconds = ttlSecondsDefault, leaseId, signal } = options;
    if (leaseId !== undefined) return new Session(client, leaseId);
    const call: CallOptions = signal === undefined ? {} : { signal };
    const grant = await client.lease.grant(ttlSeconds, call);
    return new Session(client, grant.id);
  }

  /** Fires when the session is over (SN1); its reason says why. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get isOver(): boolean {
    return this.#lost.signal.aborted;
  }

  /** Ends the renewals and leaves the lease to its TTL. */
  orphan(): void {
    this.#keepAlive.stop();
    if (!this.isOver) this.#lost.abort(new CanceledError(undefined, "The session was orphaned"));
  }

  /** Ends the renewals and revokes the lease, with all keys attached. */
  async close(options: CallOptions = {}): Promise<void> {
    this.#keepAlive.stop();
    if (!this.isOver) this.#lost.abort(new CanceledError(undefined, "The session was closed"));
    try {
      await this.client.lease.revoke(this.leaseId, options);
    } catch (error) {
      if (!(error instanceof LeaseNotFoundError)) throw error; // else it is gone: as wished
    }
  }
}
