import { elementBytes, pageBytes, pageHeadBytes } from "./format.ts";

/** How many pages so many bytes take, their head included. */
export function pagesFor(bytes: number): number {
  return Math.ceil(bytes / pageBytes);
}

/** Rows of a tree shared out to leaf pages, in order: the same in both passes. */
export class LeafFill {
  /** Rows and bytes of the page at hand. */
  count = 0;
  bytes = pageHeadBytes;

  /** Takes the next row. True: it begins a new page and the one before it is complete. */
  add(keyBytes: number, valueBytes: number): boolean {
    const more = elementBytes + keyBytes + valueBytes;
    const isNewPage = this.count > 0 && this.bytes + more > pageBytes;
    if (isNewPage) this.reset();
    this.count++;
    this.bytes += more;
    return isNewPage;
  }

  reset(): void {
    this.count = 0;
    this.bytes = pageHeadBytes;
  }
}

/**
 * Shares out the children of a level (given by the lengths of their keys) to branch pages: how many
 * each page takes. No page has a single child, which Go's bbolt would not survive when it deletes
 * there. Call with two children at least.
 */
export function branchCounts(keyLengths: readonly number[]): number[] {
  const counts: number[] = [];
  let count = 0;
  let bytes = pageHeadBytes;
  for (const length of keyLengths) {
    const more = elementBytes + length;
    if (count >= 2 && bytes + more > pageBytes) {
      counts.push(count);
      count = 0;
      bytes = pageHeadBytes;
    }
    count++;
    bytes += more;
  }
  const before = counts.at(-1);
  if (count > 1 || before === undefined) counts.push(count);
  else if (before > 2) counts.splice(-1, 1, before - 1, 2);
  else counts.splice(-1, 1, before + 1);
  return counts;
}

/** Pages of all branch levels above leaves whose first keys have these lengths, and of the top. */
export function branchPages(leafKeyLengths: readonly number[]): { all: number; root: number } {
  let lengths = leafKeyLengths;
  let all = 0;
  let root = 0;
  while (lengths.length > 1) {
    const next: number[] = [];
    let at = 0;
    for (const count of branchCounts(lengths)) {
      next.push(lengths[at]!);
      let bytes = pageHeadBytes;
      for (const end = at + count; at < end; at++) bytes += elementBytes + lengths[at]!;
      root = pagesFor(bytes);
      all += root;
    }
    lengths = next;
  }
  return { all, root };
}
