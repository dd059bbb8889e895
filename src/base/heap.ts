import { assert } from "./assert.ts";

/** What a heap stores: the item carries its own order and its place, so that it can be moved. */
export interface HeapItem {
  /** Smallest first. Only the heap changes it once the item is in. */
  heapKey: number;
  /** Place in the heap; -1 when the item is in none. */
  heapIndex: number;
}

/**
 * Binary heap that knows where its items are: an item can be moved or removed in O(log n), and is
 * in at most once, so the heap is never larger than the set of live items.
 */
export class IndexedHeap<T extends HeapItem> {
  private readonly items: T[] = [];

  get size(): number {
    return this.items.length;
  }

  /** The item with the smallest key, or undefined. */
  peek(): T | undefined {
    return this.items[0];
  }

  /** Inserts the item, or moves it when it is already in. */
  set(item: T, key: number): void {
    assert(!Number.isNaN(key), "heap key is not a number");
    const isNew = item.heapIndex < 0;
    const isEarlier = isNew || key < item.heapKey;
    item.heapKey = key;
    if (isNew) {
      item.heapIndex = this.items.length;
      this.items.push(item);
    }
    if (isEarlier) this.up(item.heapIndex);
    else this.down(item.heapIndex);
  }

  /** Removes the item; nothing happens when it is not in. */
  remove(item: T): void {
    const at = item.heapIndex;
    if (at < 0) return;
    assert(this.items[at] === item, "heap item belongs to another heap");
    const last = this.items.pop()!;
    item.heapIndex = -1;
    if (last === item) return;
    this.items[at] = last;
    last.heapIndex = at;
    this.up(at);
    this.down(last.heapIndex);
  }

  clear(): void {
    for (const item of this.items) item.heapIndex = -1;
    this.items.length = 0;
  }

  private up(from: number): void {
    const items = this.items;
    const item = items[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = items[parent]!;
      if (other.heapKey <= item.heapKey) break;
      items[at] = other;
      other.heapIndex = at;
      at = parent;
    }
    items[at] = item;
    item.heapIndex = at;
  }

  private down(from: number): void {
    const items = this.items;
    const item = items[from]!;
    const size = items.length;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && items[child + 1]!.heapKey < items[child]!.heapKey) child++;
      const other = items[child]!;
      if (other.heapKey >= item.heapKey) break;
      items[at] = other;
      other.heapIndex = at;
      at = child;
    }
    items[at] = item;
    item.heapIndex = at;
  }
}
