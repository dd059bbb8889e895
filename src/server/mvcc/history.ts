import { errCompacted } from "../../base/etcd-errors.ts";
import { encodeKv, KvScanner } from "./kv-bytes.ts";
import { emptyBytes } from "../../base/bytes.ts";
import { isTombstoneKey, revisionMain, revisionStart, revisionSub } from "./revision.ts";
import { StoredEvent } from "./store-txn.ts";
import type { KvStore } from "./store.ts";
import type { HistoryLimits, HistoryOutcome, MvccEvent } from "./types.ts";

/** Events of one batch that the view does not show yet. */
interface Recent {
  readonly batch: number;
  readonly events: MvccEvent[];
}

/**
 * Events by revision: older ones from the view, those of batches not yet in the view from memory.
 *
 * H1  Events up to `#viewRevision` are in the view, later ones in `#recent`; none is in neither.
 */
export class History {
  readonly #store: KvStore;
  #recent: Recent[] = [];
  #viewRevision = 0;

  constructor(store: KvStore) {
    this.#store = store;
  }

  /** The view shows everything up to this revision and nothing behind it. */
  restored(revision: number): void {
    this.#recent = [];
    this.#viewRevision = revision;
  }

  add(events: readonly MvccEvent[]): void {
    const batch = this.#store.deps.writer.openBatch;
    const last = this.#recent.at(-1);
    if (last?.batch === batch) for (const event of events) last.events.push(event);
    else this.#recent.push({ batch, events: [...events] });
  }

  /** H1. */
  durable(batch: number): void {
    while (this.#recent.length > 0 && this.#recent[0]!.batch <= batch) {
      this.#viewRevision = this.#recent.shift()!.events.at(-1)!.modRevision;
    }
  }

  read(fromRevision: number, toRevision: number, limits: HistoryLimits): HistoryOutcome {
    const store = this.#store;
    if (fromRevision < store.compactRevision) return errCompacted;
    const to = Math.min(toRevision, store.currentRevision);
    const reader = new Reader(limits);
    if (fromRevision <= this.#viewRevision) {
      store.view.range(
        "key",
        revisionStart(fromRevision),
        revisionStart(Math.min(to, this.#viewRevision) + 1),
        (key, value) => reader.addRow(key, value),
      );
    }
    for (let i = 0; i < this.#recent.length && !reader.isFull; i++) {
      const { events } = this.#recent[i]!;
      for (let j = firstAtOrAbove(events, fromRevision); j < events.length; j++) {
        if (events[j]!.modRevision > to || !reader.addEvent(events[j]!)) break;
      }
    }
    return { events: reader.events, next: reader.isFull ? reader.lastRevision + 1 : to + 1 };
  }
}

/** Position of the first event with that revision or a later one. */
function firstAtOrAbove(events: readonly MvccEvent[], revision: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (events[middle]!.modRevision < revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

const blockBytes = 64 * 1024;

/** Takes events until a limit is reached and the revision at hand is whole. */
class Reader {
  readonly events: MvccEvent[] = [];
  isFull = false;
  lastRevision = 0;
  readonly #limits: HistoryLimits;
  readonly #scanner = new KvScanner();
  #bytes = 0;
  #block: Uint8Array = emptyBytes;
  #used = 0;

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
  }

  /** False once full: the row or event was not taken. */
  addRow(key: Uint8Array, value: Uint8Array): boolean {
    const main = revisionMain(key);
    if (!this.#accepts(main)) return false;
    const isDelete = isTombstoneKey(key);
    this.#scanner.scan(value, 0, value.length);
    const { keyStart, keyEnd } = this.#scanner;
    let kv = value;
    if (isDelete) {
      const parts = { key: value.subarray(keyStart, keyEnd), create: 0, version: 0, lease: 0n };
      kv = encodeKv({ ...parts, mod: main, value: emptyBytes });
    }
    const copy = this.#copy(kv);
    this.#take(new StoredEvent(isDelete, main, revisionSub(key), copy, keyEnd - keyStart));
    return true;
  }

  addEvent(event: MvccEvent): boolean {
    if (!this.#accepts(event.modRevision)) return false;
    this.#take(event);
    return true;
  }

  #accepts(revision: number): boolean {
    const { events, bytes } = this.#limits;
    const isOver = this.events.length >= events || this.#bytes >= bytes;
    if (isOver && this.events.length > 0 && revision !== this.lastRevision) this.isFull = true;
    return !this.isFull;
  }

  #take(event: MvccEvent): void {
    this.events.push(event);
    this.lastRevision = event.modRevision;
    this.#bytes += event.kv.length;
  }

  #copy(bytes: Uint8Array): Uint8Array {
    if (this.#used + bytes.length > this.#block.length) {
      this.#block = new Uint8Array(Math.max(blockBytes, bytes.length));
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += bytes.length;
    this.#block.set(bytes, start);
    return this.#block.subarray(start, this.#used);
  }
}
