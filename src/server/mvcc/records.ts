import { assert } from "../../base/assert.ts";

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

  constructor() {
    const n = 1 << segmentBits;
    this.main = new Float64Array(n);
    this.create = new Float64Array(n);
    this.sub = new Uint32Array(n);
    this.version = new Uint32Array(n);
    this.previous = new Uint32Array(n);
    this.slab = new Uint32Array(n);
    this.offset = new Uint32Array(n);
    this.length = new Uint32Array(n);
    this.flags = new Uint8Array(n);
    this.depth = new Uint8Array(n);
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
