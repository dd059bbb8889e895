import { assert } from "../../base/assert.ts";

/**
 * One record per stored revision of a key, in typed-array columns. Records live in segments, so
 * growing never copies. Id 0 means "none"; freed ids are used again.
 *
 * R1  A key's records form a chain through `previous`, newest first; revisions strictly fall.
 * R2  A freed record is on the free list and on no chain.
 */

export const segmentBits = 14;
export const segmentMask = (1 << segmentBits) - 1;

export const flagTombstone = 1;
export const flagLease = 2;

export class RecordSegment {
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
  }
}

export class Records {
  readonly segments: RecordSegment[] = [new RecordSegment()];
  #next = 1;
  #free = 0;
  /** Records in use. */
  count = 0;

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
    this.#free = id;
    this.count--;
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
