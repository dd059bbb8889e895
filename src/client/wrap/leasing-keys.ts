// Who may answer a key from memory: the session that holds its leasing key. The protocol is that of
// etcd's own clients, so both can share a prefix.
//
//   free --acquire: leasing key created, with the session's lease--> held
//   held --another client puts REVOKE into it, or the watch of it breaks--> rescinding
//   rescinding --leasing key deleted--> free;  any --session lost--> free
//
// LK1  An entry exists only while this session holds the leasing key: it goes before the leasing
//      key is deleted, and with the session.
// LK2  While a leasing key is being given back, its key is not acquired again.
// LK3  When it is not known whether an acquisition took place, the leasing key is given back.
import { fromBinaryString } from "../../base/bytes.ts";
import { compare } from "../compare.ts";
import { ClientClosedError, EtcdError, LeaseNotFoundError } from "../errors.ts";
import { Session } from "../lease/session.ts";
import { op } from "../op.ts";
import type {
  CallOptions,
  GetOptions,
  GetResult,
  Header,
  KvWatchLease,
  Op,
  TxnResult,
  Watcher,
} from "../types.ts";
import { below } from "./interval.ts";
import { answerOf, LeasingEntry } from "./leasing-entry.ts";
import { Pause } from "./pause.ts";

const revokeText = "REVOKE";
const retryMs = 200;

export interface LeasingOptions {
  /** TTL of the session in seconds: a client that is gone holds others up that long. Default 60. */
  readonly ttlSeconds?: number;
  /** A key that others write is not acquired again for this long. Default 2000. */
  readonly revokeBackoffMs?: number;
}

const revokeBackoffMsDefault = 2_000;

/** Keys whose revocation is remembered; beyond, the oldest are forgotten. */
const revokedMax = 10_000;

export class LeasingKeys {
  readonly #client: KvWatchLease;
  readonly #prefix: Uint8Array;
  readonly #options: LeasingOptions;
  readonly #entries = new Map<string, LeasingEntry>();
  readonly #acquiring = new Set<string>();
  readonly #rescinding = new Set<string>();
  /** When a key was revoked, in ms. */
  readonly #revoked = new Map<string, number>();
  readonly #closing = new AbortController();
  readonly #pause: Pause;
  #session: Session | null = null;
  #sessions: Promise<void> = Promise.resolve();

  constructor(client: KvWatchLease, prefix: Uint8Array, options: LeasingOptions) {
    this.#client = client;
    this.#prefix = prefix;
    this.#options = options;
    this.#pause = new Pause(this.#closing.signal);
  }

  /** Resolves with the first session. */
  async start(signal: AbortSignal | undefined): Promise<void> {
    await this.#open(signal);
    this.#sessions = this.#keepSession();
  }

  /** Gives all leasing keys back. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#sessions;
    this.#drop();
    await this.#session?.close();
  }

  /** The leasing key of a key. */
  leasingKey(name: string): Uint8Array {
    return below(this.#prefix, { key: fromBinaryString(name), rangeEnd: new Uint8Array(0) }).key;
  }

  entry(name: string): LeasingEntry | undefined {
    return this.#entries.get(name);
  }

  /** Entries of keys from `key` up to `rangeEnd`, both in binary form. */
  *entriesIn(key: string, rangeEnd: string): Generator<LeasingEntry, void, undefined> {
    for (const [name, entry] of this.#entries) {
      if (name >= key && (rangeEnd === "\0" || name < rangeEnd)) yield entry;
    }
  }

  /** Whether a leasing key with this lease is this session's and known to be. */
  holds(name: string, lease: bigint): boolean {
    return lease === this.#session?.leaseId && this.#entries.has(name);
  }

  mayAcquire(name: string): boolean {
    if (this.#session?.isOver !== false) return false;
    if (this.#acquiring.has(name) || this.#rescinding.has(name)) return false; // LK2
    const at = this.#revoked.get(name);
    const backoffMs = this.#options.revokeBackoffMs ?? revokeBackoffMsDefault;
    return at === undefined || performance.now() - at >= backoffMs;
  }

  /** Reads a key and takes its leasing key, if that is free. */
  async acquire(name: string, options: GetOptions, call: CallOptions): Promise<GetResult> {
    const session = this.#session!;
    const before = this.#entries.get(name);
    const changes = before?.changes ?? 0;
    const leasingKey = this.leasingKey(name);
    const key = fromBinaryString(name);
    this.#acquiring.add(name);
    try {
      const result = await this.#client.kv
        .txn()
        .if(compare.create(leasingKey).equals(0), compare.lease(key).equals(0n))
        .then(op.get(key), op.put(leasingKey, "", { lease: session.leaseId }))
        .else(op.get(key), op.get(leasingKey))
        .commit(call);
      const kv = result.responses[0].kvs[0] ?? null;
      if (result.succeeded || this.#isOurs(result.responses[1], session)) {
        const entry = this.#held(name, before, session, result.header);
        entry?.learn(kv, result.header, before === undefined ? entry.changes : changes);
      }
      return answerOf(kv, result.header, options);
    } catch (error) {
      if (error instanceof LeaseNotFoundError) {
        session.orphan(); // its lease is gone already: the next session follows at once
        return await this.#client.kv.get(key, options);
      }
      if (before === undefined) void this.#rescind(name, session); // LK3
      throw error;
    } finally {
      this.#acquiring.delete(name);
    }
  }

  #isOurs({ kvs }: GetResult, session: Session): boolean {
    return kvs[0]?.lease === session.leaseId && kvs[0].string() !== revokeText;
  }

  /** The entry of a leasing key that is ours: the one that is there, or a new one. */
  #held(
    name: string,
    before: LeasingEntry | undefined,
    session: Session,
    header: Header,
  ): LeasingEntry | null {
    if (session.isOver || session !== this.#session) return null; // LK1
    const now = this.#entries.get(name);
    if (before !== undefined || now !== undefined) return now === before ? (now ?? null) : null;
    const startRevision = header.revision + 1;
    const monitor = this.#client.watch.watch(this.leasingKey(name), { startRevision });
    const entry = new LeasingEntry(header.revision, monitor, header);
    this.#entries.set(name, entry);
    void this.#watchOver(name, entry, monitor, session);
    return entry;
  }

  /** Gives the leasing key back when another client asks for it, or nobody could hear it ask. */
  async #watchOver(
    name: string,
    entry: LeasingEntry,
    monitor: Watcher,
    session: Session,
  ): Promise<void> {
    let isGone = false;
    try {
      for await (const { type, kv } of monitor.events()) {
        isGone = type === "delete";
        if (isGone || kv.string() === revokeText) break;
      }
    } catch {
      // As good as a request: from here on none would be heard.
    }
    if (this.#entries.get(name) === entry) this.#evict(name);
    if (session.isOver || this.#closing.signal.aborted) return; // the lease takes the key with it
    if (!isGone) await this.#rescind(name, session);
  }

  #evict(name: string): void {
    this.#entries.delete(name);
    this.#revoked.delete(name);
    this.#revoked.set(name, performance.now());
    if (this.#revoked.size <= revokedMax) return;
    for (const oldest of this.#revoked.keys()) {
      this.#revoked.delete(oldest);
      return;
    }
  }

  async #rescind(name: string, session: Session): Promise<void> {
    if (this.#rescinding.has(name)) return;
    this.#rescinding.add(name);
    const leasingKey = this.leasingKey(name);
    try {
      while (!session.isOver && !this.#closing.signal.aborted) {
        const txn = this.#client.kv.txn().if(compare.lease(leasingKey).equals(session.leaseId));
        try {
          await txn.then(op.delete(leasingKey)).commit();
          return;
        } catch (error) {
          if (error instanceof ClientClosedError) return;
          await this.#pause.wait(retryMs);
        }
      }
    } finally {
      this.#rescinding.delete(name);
    }
  }

  /**
   * Does `write` if nobody holds the leasing key of `name`; else asks the holder to give it back
   * and waits until it has. null: to be tried again.
   */
  async revoke(name: string, write: Op, call: CallOptions): Promise<TxnResult | null> {
    const leasingKey = this.leasingKey(name);
    const entry = this.#entries.get(name);
    const revision = entry?.heldRevision ?? 0;
    const result = await this.#client.kv
      .txn()
      .if(compare.create(leasingKey).lessThan(revision + 1))
      .then(write)
      .else(op.put(leasingKey, revokeText, { ignoreLease: true }))
      .commit(call);
    if (result.succeeded) return result;
    // With an entry: another client holds it by now, and the news was on its way.
    if (entry !== undefined && this.#entries.get(name) === entry) this.#evict(name);
    const options = { startRevision: result.header.revision + 1 };
    const { signal } = call;
    const watcher = this.#client.watch.watch(
      leasingKey,
      signal === undefined ? options : { ...options, signal },
    );
    for await (const { type } of watcher.events()) {
      if (type === "delete") break;
    }
    if (signal?.aborted === true) throw EtcdError.from(signal.reason);
    return null;
  }

  async #open(signal?: AbortSignal): Promise<void> {
    const { ttlSeconds } = this.#options;
    const options = {
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
      ...(signal === undefined ? {} : { signal }),
    };
    const session = await Session.create(this.#client, options);
    session.lost.addEventListener("abort", () => this.#drop(), { once: true });
    this.#session = session;
  }

  /** One session after the other, until closed. */
  async #keepSession(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#pause.until(this.#session!.lost);
      while (!signal.aborted && this.#session!.isOver) {
        try {
          await this.#open(signal);
        } catch (error) {
          if (error instanceof ClientClosedError) return;
          await this.#pause.wait(retryMs);
        }
      }
    }
  }

  /** LK1 */
  #drop(): void {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const entry of entries) void entry.monitor.cancel();
  }
}
