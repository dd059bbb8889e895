// An instance of a service, listed while it lives and is healthy.
//
//   register ──▶ serving ◀──▶ unhealthy      (health answers otherwise than before)
//                   │  ▲          │
//        lease lost │  └──────────│── a new lease, listed anew
//                   ▼             ▼
//                  lost ◀─────────┘      any ── close() ──▶ closed
//
// RG1  The entry stands on a lease: it goes when the process ends without a word.
// RG2  An entry is taken off only while it is on the lease of this registration: who registered the
//      same id later keeps it.
// RG3  One step at a time: the next begins when the lease, put or delete before it has ended.
import { pause, systemClock, type ClientClock } from "../clock.ts";
import { compare } from "../compare.ts";
import { Emitter } from "../emitter.ts";
import { ClientClosedError, EtcdError } from "../errors.ts";
import { Session } from "../lease/session.ts";
import { op } from "../op.ts";
import { StreamBackoff } from "../stream-backoff.ts";
import type { KvWatchLease } from "../types.ts";
import { encodeInstance, type ServiceInstance } from "./instance.ts";

export type RegistrationState = "serving" | "unhealthy" | "lost" | "closed";

export type HealthCheck = () => boolean | Promise<boolean>;

export interface RegistrationOptions {
  /** Seconds after which the entry of a process that ended is gone. Default 15. */
  readonly ttlSeconds?: number;
  /**
   * Asked at first and then in every interval; while it says false, throws, or does not answer
   * within an interval, the instance is not listed.
   */
  readonly health?: HealthCheck;
  /** Default: 5,000. */
  readonly healthIntervalMs?: number;
  /** For tests. */
  readonly clock?: ClientClock;
}

const ttlSecondsDefault = 15;
const healthIntervalMsDefault = 5_000;
/** Time for ending a lease that a new one is to replace; if it fails, the lease lapses. */
const replaceTimeoutMs = 2_000;

/**
 * Events: `state` with the new state; `error` when the cluster could not be reached, a health check
 * threw, or the lease was lost. All of them are tried again until `close`.
 */
export class Registration extends Emitter<{ state: [RegistrationState]; error: [Error] }> {
  readonly instance: ServiceInstance;
  readonly key: string;
  readonly #client: KvWatchLease;
  readonly #options: RegistrationOptions;
  readonly #clock: ClientClock;
  readonly #end = new AbortController();
  readonly #backoff = new StreamBackoff();
  #state: RegistrationState = "lost";
  #session: Session | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(
    client: KvWatchLease,
    key: string,
    instance: ServiceInstance,
    options: RegistrationOptions,
  ) {
    super();
    this.#client = client;
    this.key = key;
    this.instance = instance;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /** Resolves when the first health check was heeded; rejects when the cluster refuses. */
  async start(): Promise<void> {
    const session = await this.#newSession();
    try {
      await this.#heed(session);
    } catch (error) {
      await session.close({ timeoutMs: replaceTimeoutMs }).catch(() => undefined);
      throw error;
    }
    this.#running = this.#run(session);
  }

  /**
   * Takes the entry off and ends. Throws when the cluster cannot be reached; the entry then goes
   * with its lease.
   */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#running;
    this.#setState("closed");
    const session = this.#session;
    this.#session = null;
    await session?.close();
  }

  get #isClosed(): boolean {
    return this.#end.signal.aborted;
  }

  async #run(first: Session): Promise<void> {
    let session: Session | null = first;
    while (!this.#isClosed) {
      try {
        session ??= await this.#newSession();
        await this.#serve(session);
      } catch (error) {
        if (!this.#isClosed) this.emit("error", EtcdError.from(error));
        if (error instanceof ClientClosedError) return;
      }
      if (this.#isClosed) return;
      this.#setState("lost");
      // Before a new lease: a put on the old one that is still on its way is refused then.
      await session?.close({ timeoutMs: replaceTimeoutMs }).catch(() => undefined);
      session = null;
      await pause(this.#backoff.next(), this.#clock, this.#end.signal);
    }
  }

  async #newSession(): Promise<Session> {
    const { ttlSeconds = ttlSecondsDefault } = this.#options;
    const { signal } = this.#end;
    this.#session = await Session.create(this.#client, { ttlSeconds, signal });
    return this.#session;
  }

  /** Until the session is lost or the registration closed. */
  async #serve(session: Session): Promise<void> {
    const { health, healthIntervalMs = healthIntervalMsDefault } = this.#options;
    if (this.#state === "lost") await this.#heed(session);
    this.#backoff.reset();
    const turn = new AbortController();
    const wake = (): void => turn.abort();
    session.lost.addEventListener("abort", wake);
    this.#end.signal.addEventListener("abort", wake);
    try {
      while (!this.#isClosed && !session.isOver) {
        const waitMs = health === undefined ? Infinity : healthIntervalMs;
        await pause(waitMs, this.#clock, turn.signal);
        if (!this.#isClosed && !session.isOver && health !== undefined) await this.#heed(session);
      }
    } finally {
      this.#end.signal.removeEventListener("abort", wake);
    }
    if (!this.#isClosed) throw EtcdError.from(session.lost.reason);
  }

  /** Lists the instance or takes it off, as its health says. */
  async #heed(session: Session): Promise<void> {
    const state = (await this.#isHealthy()) ? "serving" : "unhealthy";
    if (state === this.#state || this.#isClosed) return;
    const { kv } = this.#client;
    const { leaseId: lease } = session;
    const { signal } = this.#end;
    if (state === "serving") {
      await kv.put(this.key, encodeInstance(this.instance), { lease, signal });
    } else {
      const isMine = compare.lease(this.key).equals(lease); // RG2
      await kv.txn().if(isMine).then(op.delete(this.key)).commit({ signal });
    }
    this.#setState(state);
  }

  async #isHealthy(): Promise<boolean> {
    const { health, healthIntervalMs = healthIntervalMsDefault } = this.#options;
    if (health === undefined) return true;
    const answered = new AbortController();
    const stop = (): void => answered.abort();
    this.#end.signal.addEventListener("abort", stop);
    const late = pause(healthIntervalMs, this.#clock, answered.signal).then(() => false);
    try {
      return await Promise.race([health(), late]);
    } catch (error) {
      this.emit("error", error instanceof Error ? error : new Error(String(error)));
      return false;
    } finally {
      this.#end.signal.removeEventListener("abort", stop);
      answered.abort();
    }
  }

  #setState(state: RegistrationState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
  }
}
