/** The client: one per cluster, made once and shared; it holds connections until `close`. */
import { AuthArea } from "./auth.ts";
import type { Caller } from "./caller.ts";
import { clientSettings, type ClientOptions } from "./client-options.ts";
import { ClusterArea } from "./cluster.ts";
import { Connection } from "./connection.ts";
import { ElectionArea } from "./election.ts";
import { KvArea } from "./kv.ts";
import { LeaseArea } from "./lease/lease-area.ts";
import { LockArea } from "./lock.ts";
import { MaintenanceArea } from "./maintenance.ts";
import type { CallOptions, KvWatchLease } from "./types.ts";
import { WatchArea } from "./watch/watch-area.ts";

/** Longest time for one look at the member list; the next one comes anyway. */
const syncTimeoutMs = 5_000;

export class EtcdClient implements KvWatchLease {
  readonly kv: KvArea;
  readonly watch: WatchArea;
  readonly lease: LeaseArea;
  readonly cluster: ClusterArea;
  readonly maintenance: MaintenanceArea;
  readonly auth: AuthArea;
  /** The server's lock service. Recipes have a mutex that needs no such service. */
  readonly lock: LockArea;
  /** The server's election service. */
  readonly election: ElectionArea;
  /** For methods that no area has. */
  readonly caller: Caller;
  readonly #connection: Connection;
  #nextSync: { cancel(): void } | null = null;

  /**
   * Connects at the first call, not here. Throws TypeError or RangeError when an option is wrong.
   */
  constructor(options: ClientOptions = {}) {
    const settings = clientSettings(options);
    const connection = new Connection(settings);
    const { caller } = connection;
    const { clock, random } = settings;
    this.#connection = connection;
    this.caller = caller;
    this.kv = new KvArea(caller);
    this.watch = new WatchArea(caller, clock, random);
    this.lease = new LeaseArea(caller, clock);
    this.cluster = new ClusterArea(caller);
    this.maintenance = new MaintenanceArea(caller);
    this.auth = new AuthArea(caller);
    this.lock = new LockArea(caller);
    this.election = new ElectionArea(caller);
    if (settings.autoSyncIntervalMs > 0) this.#syncLater();
  }

  /** Fires when the client was closed. */
  get closed(): AbortSignal {
    return this.#connection.closed;
  }

  get endpoints(): string[] {
    return this.#connection.endpoints;
  }

  /** Connections of endpoints that stay are kept. Throws TypeError when one is no endpoint. */
  setEndpoints(endpoints: readonly string[]): void {
    this.#connection.setEndpoints(endpoints);
  }

  /** Takes the endpoints from the member list: client URLs of started members, without learners. */
  async sync(options: CallOptions = {}): Promise<string[]> {
    const { members } = await this.cluster.memberList(options);
    const voters = members.filter(({ name, isLearner }) => name !== "" && !isLearner);
    const endpoints = [...new Set(voters.flatMap(({ clientUrls }) => clientUrls))];
    if (endpoints.length > 0 && !this.closed.aborted) this.setEndpoints(endpoints);
    return this.endpoints;
  }

  /**
   * Ends every call, watch and renewal with ClientClosedError, and all connections. Leases stay:
   * close sessions first.
   */
  close(): void {
    this.#nextSync?.cancel();
    this.#connection.close();
  }

  #syncLater(): void {
    const { clock, autoSyncIntervalMs } = this.#connection.settings;
    this.#nextSync = clock.after(autoSyncIntervalMs, () => {
      const done = (): void => {
        if (!this.closed.aborted) this.#syncLater();
      };
      // A failed look changes nothing: the endpoints known may still do.
      this.sync({ timeoutMs: syncTimeoutMs }).then(done, done);
    });
  }
}
