import { toBinaryString, utf8 } from "../../src/base/bytes.ts";
import type { Logger } from "../../src/base/log.ts";
import type { Checksum, Clock, Turn } from "../../src/base/ports.ts";
import type { RangeRequest } from "../../src/codec/messages.ts";
import { BackendWriter } from "../../src/server/backend/batcher.ts";
import type { IndexImage } from "../../src/server/mvcc/index-image.ts";
import type { StoreLimits } from "../../src/server/mvcc/limits.ts";
import { storeLimits } from "../../src/server/mvcc/limits.ts";
import { KvScanner } from "../../src/server/mvcc/kv-bytes.ts";
import { KvStore } from "../../src/server/mvcc/store.ts";
import type { LeaseAttachments, RangeResult } from "../../src/server/mvcc/types.ts";
import { MemoryBackend } from "./memory-backend.ts";

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: (message) => {
    throw new Error(message);
  },
};

/** Time and turns moved by hand. */
export class Hand implements Clock, Turn {
  #now = 0;
  #timers: { at: number; run: () => void; isOff: boolean }[] = [];
  #next: (() => void)[] = [];

  now(): number {
    return this.#now;
  }
  wall(): number {
    return this.#now;
  }
  after(delayMs: number, run: () => void): { cancel(): void } {
    const timer = { at: this.#now + delayMs, run, isOff: false };
    this.#timers.push(timer);
    return { cancel: () => (timer.isOff = true) };
  }
  atEnd(run: () => void): void {
    this.#next.push(run);
  }
  atFlush(run: () => void): void {
    this.#next.push(run);
  }
  next(run: () => void): void {
    this.#next.push(run);
  }

  /** Runs one turn; false if there was nothing to run. */
  turn(): boolean {
    const run = this.#next;
    this.#next = [];
    for (const each of run) each();
    return run.length > 0;
  }

  advance(ms: number): boolean {
    this.#now += ms;
    const due = this.#timers.filter((timer) => timer.at <= this.#now);
    this.#timers = this.#timers.filter((timer) => timer.at > this.#now);
    for (const timer of due) if (!timer.isOff) timer.run();
    return this.#timers.length > 0;
  }
}

const table = new Uint32Array(256).map((_, i) => {
  let c = i;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c >>> 0;
});
export const checksum: Checksum = {
  crc32: () => 0,
  crc32c(bytes, seed) {
    let c = ~seed;
    for (const byte of bytes) c = table[(c ^ byte) & 0xff]! ^ (c >>> 8);
    return ~c >>> 0;
  },
};

/** Attachments without leases: every id exists. */
export class PlainLeases implements LeaseAttachments {
  readonly byKey = new Map<string, bigint>();
  attach(lease: bigint, key: Uint8Array): void {
    this.byKey.set(toBinaryString(key), lease);
  }
  detach(lease: bigint, key: Uint8Array): void {
    if (this.byKey.get(toBinaryString(key)) === lease) this.byKey.delete(toBinaryString(key));
  }
  leaseOf(key: Uint8Array): bigint {
    return this.byKey.get(toBinaryString(key)) ?? 0n;
  }
  exists(): boolean {
    return true;
  }
}

/** A store over a memory backend, with its surroundings moved by hand. */
export class Rig {
  readonly hand = new Hand();
  readonly backend: MemoryBackend;
  readonly leases = new PlainLeases();
  readonly writer: BackendWriter;
  readonly store: KvStore;
  index = 0;

  constructor(
    backend = new MemoryBackend(),
    limits: Partial<StoreLimits> = {},
    image: IndexImage | null = null,
  ) {
    this.backend = backend;
    this.writer = new BackendWriter({
      backend,
      clock: this.hand,
      turn: this.hand,
      fail: (error) => {
        throw error;
      },
    });
    this.store = new KvStore({
      writer: this.writer,
      clock: this.hand,
      turn: this.hand,
      checksum,
      leases: this.leases,
      log: silent,
      hashSeed: 7,
      limits: { ...storeLimits, ...limits },
    });
    this.store.restore(image);
    this.index = this.writer.durableIndex;
  }

  put(key: string, value: string, lease = 0n): number {
    const txn = this.store.begin();
    txn.put(utf8(key), utf8(value), lease);
    return this.entry(txn.end());
  }

  delete(key: string, rangeEnd = ""): number {
    const txn = this.store.begin();
    txn.deleteRange(utf8(key), utf8(rangeEnd));
    return this.entry(txn.end());
  }

  /** Marks an entry as applied. */
  entry<T>(result: T): T {
    this.writer.applied(++this.index, 1);
    return result;
  }

  compact(revision: number): string | null {
    return this.entry(this.store.compact(revision, null)?.message ?? null);
  }

  /** Runs turns, timers and commits until nothing is left to do. */
  settle(): void {
    for (let quiet = 0; quiet < 3;) {
      let busy = this.hand.turn();
      busy = this.hand.advance(100) || busy;
      busy = this.backend.flush() || busy;
      quiet = busy ? 0 : quiet + 1;
    }
  }

  /** A new store on what is durable now, or on up to `kept` commits more: a crash and restart. */
  restart(kept = 0, image: IndexImage | null = null): Rig {
    this.store.close();
    return new Rig(this.backend.crashCopy(kept), this.store.limits, image);
  }

  /** The result of an asynchronous call, after everything settled. */
  wait<T>(call: (done: (value: T) => void) => void): T {
    const out: T[] = [];
    call((value) => out.push(value));
    this.settle();
    if (out.length !== 1) throw new Error(`done ran ${String(out.length)} times`);
    return out[0]!;
  }
}

export function rangeRequest(
  key: string,
  rangeEnd = "",
  more: Partial<RangeRequest> = {},
): RangeRequest {
  return {
    key: utf8(key),
    rangeEnd: utf8(rangeEnd),
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
    canonical: true,
    ...more,
  };
}

export interface PlainKv {
  key: string;
  value: string;
  create: number;
  mod: number;
  version: number;
  lease: bigint;
}

const scanner = new KvScanner();

/** Keys and values as strings of one character per byte. */
export function plainKv(bytes: Uint8Array): PlainKv {
  scanner.scan(bytes, 0, bytes.length);
  return {
    key: toBinaryString(bytes.subarray(scanner.keyStart, scanner.keyEnd)),
    value: toBinaryString(bytes.subarray(scanner.valueStart, scanner.valueEnd)),
    create: scanner.create,
    mod: scanner.mod,
    version: scanner.version,
    lease: scanner.lease,
  };
}

/** The key-values of a result, in order; checks that the frames fill the chunks exactly. */
export function resultKvs(result: RangeResult): PlainKv[] {
  const out: PlainKv[] = [];
  for (const chunk of result.chunks) {
    for (let at = 0; at < chunk.length;) {
      if (chunk[at++] !== 0x12) throw new Error("frame tag expected");
      let length = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = chunk[at++]!;
        length += (byte & 0x7f) << shift;
        if (byte < 128) break;
      }
      out.push(plainKv(chunk.subarray(at, at + length)));
      at += length;
    }
  }
  const bytes = result.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  if (bytes !== result.chunkBytes || out.length !== result.kvCount) throw new Error("wrong sums");
  return out;
}
