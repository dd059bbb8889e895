import { assert } from "../../base/assert.ts";
import type { ImageReader, ImageWriter } from "./image-blocks.ts";

/**
 * One record per stored revision of a key, in typed-array columns. Records live in segments, so
 * growing never copies. Id 0 means "none"; freed ids are used again.
 *
 * R1  A key's records form a chain through `previous`, newest first; revisions strictly fall.
 * R2  A freed record is on the free list and on no chain.
 * R3  Every 256th record of a chain may have a shortcut to the one 256 before it. It stays when
 *     that one is pruned, so it is followed only to a revision above the one sought: a reader's
 *     revision is never below the pruned ones, so what is above it is still there.
 */

export const segmentBits = 14;
export const segmentMask = (1 << segmentBits) - 1;

export const flagTombstone = 1;
export const flagLease = 2;

interface Shortcut {
  readonly to: number;
  /** Main revision of that record. */
  readonly main: number;
}

const shortcutDistance = 256;

class RecordSegment {
  readonly main: Float64Array;
  readonly create: Float64Array;
  readonly sub: Uint32Array;
  readonly version: Uint32Array;
  readonly previous: Uint32Array;
  /**
   * Where the value's frame is: slab sequence (0 = nowhere), offset of the frame, KeyValue length.
   */
  readonly slab: Uint32Array;
  readonly offset: Uint32Array;
  readonly length: Uint32Array;
  readonly flags: Uint8Array;
  /** Position in the chain modulo the distance of shortcuts; the oldest record has 1. */
  readonly depth: Uint8Array;

  constructor(memory = new ArrayBuffer(30 << segmentBits)) {
    const n = 1 << segmentBits;
    this.main = new Float64Array(memory, 0, n);
    this.create = new Float64Array(memory, 8 * n, n);
    this.sub = new Uint32Array(memory, 16 * n, n);
    this.version = new Uint32Array(memory, 20 * n, n);
    this.previous = new Uint32Array(memory, 24 * n, n);
    this.flags = new Uint8Array(memory, 28 * n, n);
    this.depth = new Uint8Array(memory, 29 * n, n);
    this.slab = new Uint32Array(n);
    this.offset = new Uint32Array(n);
    this.length = new Uint32Array(n);
  }

  /** All but the location of the value. */
  get memory(): ArrayBuffer {
    return this.main.buffer as ArrayBuffer;
  }
}

export class Records {
  readonly segments: RecordSegment[] = [new RecordSegment()];
  #next = 1;
  #free = 0;
  /** Records in use. */
  count = 0;
  /** By record at depth 0 (R3): few, as only long chains have any. */
  readonly shortcuts = new Map<number, Shortcut>();

  /** A record with every column unset except those of a fresh allocation; the caller fills all. */
  allocate(): number {
    this.count++;
    const free = this.#free;
    if (free !== 0) {
      this.#free = this.segments[free >>> segmentBits]!.previous[free & segmentMask]!;
      return free;
    }
    const id = this.#next++;
    assert(id < 0xffff_ffff, "record ids are used up");
    if (id >>> segmentBits === this.segments.length) this.segments.push(new RecordSegment());
    return id;
  }

  /** R2. */
  release(id: number): void {
    const segment = this.segment(id);
    segment.previous[id & segmentMask] = this.#free;
    segment.slab[id & segmentMask] = 0;
    if (segment.depth[id & segmentMask] === 0) this.shortcuts.delete(id);
    this.#free = id;
    this.count--;
  }

  /** Puts the record before `previous`, which was the newest of the chain (0: it is the first). */
  link(id: number, previous: number): void {
    const segment = this.segment(id);
    segment.previous[id & segmentMask] = previous;
    const depth =
      previous === 0 ? 1 : (this.segment(previous).depth[previous & segmentMask]! + 1) & 255;
    segment.depth[id & segmentMask] = depth;
    if (depth !== 0) return;
    let to = previous;
    for (let i = 1; i < shortcutDistance && to !== 0; i++) to = this.previous(to);
    if (to !== 0) this.shortcuts.set(id, { to, main: this.main(to) });
  }

  save(out: ImageWriter): void {
    out.add("recordNumbers", [new Float64Array([this.#next, this.#free, this.count])]);
    for (const segment of this.segments) out.add("recordSegment", [new Uint8Array(segment.memory)]);
    const all = [...this.shortcuts];
    out.add("shortcutRecords", [Uint32Array.from(all.flatMap(([id, { to }]) => [id, to]))]);
    out.add("shortcutMains", [Float64Array.from(all, ([, { main }]) => main)]);
  }

  /** Fills new records; their values are nowhere in memory. */
  load(image: ImageReader): void {
    const numbers = new Float64Array(image.one("recordNumbers"));
    this.#next = numbers[0]!;
    this.#free = numbers[1]!;
    this.count = numbers[2]!;
    this.segments.length = 0;
    for (const memory of image.all("recordSegment")) {
      this.segments.push(new RecordSegment(memory));
    }
    const records = new Uint32Array(image.one("shortcutRecords"));
    const mains = new Float64Array(image.one("shortcutMains"));
    for (let i = 0; i < mains.length; i++) {
      this.shortcuts.set(records[2 * i]!, { to: records[2 * i + 1]!, main: mains[i]! });
    }
  }

  segment(id: number): RecordSegment {
    return this.segments[id >>> segmentBits]!;
  }

  main(id: number): number {
    return this.segment(id).main[id & segmentMask]!;
  }

  sub(id: number): number {
    return this.segment(id).sub[id & segmentMask]!;
  }

  create(id: number): number {
    return this.segment(id).create[id & segmentMask]!;
  }

  version(id: number): number {
    return this.segment(id).version[id & segmentMask]!;
  }

  previous(id: number): number {
    return this.segment(id).previous[id & segmentMask]!;
  }

  flags(id: number): number {
    return this.segment(id).flags[id & segmentMask]!;
  }

  isTombstone(id: number): boolean {
    return (this.flags(id) & flagTombstone) !== 0;
  }
}
