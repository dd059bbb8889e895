// FI1  Places are in ascending order of index and do not overlap: what a later frame replaced is
//      cut.

/** Where a run of entries lies on disk. */
export interface FramePlace {
  readonly segment: number;
  readonly at: number;
  readonly bytes: number;
  readonly firstIndex: number;
  /** The last index still valid; entries after it in the frame were replaced (FI1). */
  lastIndex: number;
}

/** Finds the frame that holds an entry. */
export class FrameIndex {
  #places: FramePlace[] = [];

  add(place: FramePlace): void {
    while (this.#places.length > 0) {
      const last = this.#places[this.#places.length - 1]!;
      if (last.lastIndex < place.firstIndex) break;
      if (last.firstIndex < place.firstIndex) {
        last.lastIndex = place.firstIndex - 1;
        break;
      }
      this.#places.pop();
    }
    this.#places.push(place);
  }

  /** The position of the place that holds `index`, or -1. */
  find(index: number): number {
    let low = 0;
    let high = this.#places.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const place = this.#places[middle]!;
      if (index < place.firstIndex) high = middle - 1;
      else if (index > place.lastIndex) low = middle + 1;
      else return middle;
    }
    return -1;
  }

  at(position: number): FramePlace | undefined {
    return this.#places[position];
  }

  /** Forgets everything: the log begins anew. */
  clear(): void {
    this.#places = [];
  }

  /**
   * Forgets the frames of segments before `segment`. None may remain: the frames there since then
   * may hold hard states only.
   */
  dropBefore(segment: number): void {
    const keep = this.#places.findIndex((place) => place.segment >= segment);
    if (keep < 0) this.#places = [];
    else if (keep > 0) this.#places = this.#places.slice(keep);
  }
}
