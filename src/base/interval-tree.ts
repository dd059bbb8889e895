/**
 * Ranges of binary-string keys to values, with the query "which ranges hold this key?".
 * A treap ordered by (start, end); each node knows the largest end below it.
 *
 * IT1  left < node < right by (start, end); at most one node per range.
 * IT2  A parent's priority is not smaller than its children's, so the expected depth is O(log n).
 * IT3  maxEnd = largest end in the subtree; null is the open end and larger than all.
 */

interface Node<T> {
  start: string;
  /** Exclusive; null = no end. */
  end: string | null;
  value: T;
  priority: number;
  maxEnd: string | null;
  left: Node<T> | null;
  right: Node<T> | null;
}

export class IntervalTree<T> {
  private root: Node<T> | null = null;
  private count = 0;
  private seed = 0x9e3779b9;

  get size(): number {
    return this.count;
  }

  get(start: string, end: string | null): T | undefined {
    let node = this.root;
    while (node !== null) {
      const order = compareRange(start, end, node);
      if (order === 0) return node.value;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** Adds the range, which must not be in the tree. */
  add(start: string, end: string | null, value: T): void {
    // xorshift: priorities only need to be unrelated to the keys.
    this.seed ^= this.seed << 13;
    this.seed ^= this.seed >>> 17;
    this.seed ^= this.seed << 5;
    const priority = this.seed;
    const node = { start, end, value, priority, maxEnd: end, left: null, right: null };
    this.root = insert(this.root, node);
    this.count++;
  }

  /** Removes the range if it is in the tree. */
  remove(start: string, end: string | null): void {
    if (this.get(start, end) === undefined) return;
    this.root = remove(this.root, start, end);
    this.count--;
  }

  clear(): void {
    this.root = null;
    this.count = 0;
  }

  /** Visits every value in order of its range. */
  forEach(visit: (value: T) => void): void {
    walk(this.root, visit);
  }

  /** Appends the value of every range with start <= key < end to `out`. */
  stab(key: string, out: T[]): void {
    stab(this.root, key, out);
  }
}

function compareEnd(a: string | null, b: string | null): number {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -1 : 1;
}

function compareRange<T>(start: string, end: string | null, node: Node<T>): number {
  if (start !== node.start) return start < node.start ? -1 : 1;
  return compareEnd(end, node.end);
}

function update<T>(node: Node<T>): Node<T> {
  let max = node.end;
  if (node.left !== null && compareEnd(node.left.maxEnd, max) > 0) max = node.left.maxEnd;
  if (node.right !== null && compareEnd(node.right.maxEnd, max) > 0) max = node.right.maxEnd;
  node.maxEnd = max; // IT3
  return node;
}

function rotateRight<T>(node: Node<T>, left: Node<T>): Node<T> {
  node.left = left.right;
  left.right = update(node);
  return update(left);
}

function rotateLeft<T>(node: Node<T>, right: Node<T>): Node<T> {
  node.right = right.left;
  right.left = update(node);
  return update(right);
}

function insert<T>(root: Node<T> | null, node: Node<T>): Node<T> {
  if (root === null) return node;
  if (compareRange(node.start, node.end, root) < 0) {
    root.left = insert(root.left, node);
    if (root.left.priority > root.priority) return rotateRight(root, root.left); // IT2
  } else {
    root.right = insert(root.right, node);
    if (root.right.priority > root.priority) return rotateLeft(root, root.right); // IT2
  }
  return update(root);
}

function remove<T>(root: Node<T> | null, start: string, end: string | null): Node<T> | null {
  if (root === null) return null;
  const order = compareRange(start, end, root);
  if (order < 0) root.left = remove(root.left, start, end);
  else if (order > 0) root.right = remove(root.right, start, end);
  else return merge(root.left, root.right);
  return update(root);
}

/** Joins two trees, all of `left` before all of `right`. */
function merge<T>(left: Node<T> | null, right: Node<T> | null): Node<T> | null {
  if (left === null) return right;
  if (right === null) return left;
  if (left.priority > right.priority) {
    left.right = merge(left.right, right);
    return update(left);
  }
  right.left = merge(left, right.left);
  return update(right);
}

function walk<T>(root: Node<T> | null, visit: (value: T) => void): void {
  for (let node = root; node !== null; node = node.right) {
    walk(node.left, visit);
    visit(node.value);
  }
}

function stab<T>(root: Node<T> | null, key: string, out: T[]): void {
  for (let node = root; node !== null;) {
    if (node.maxEnd !== null && node.maxEnd <= key) return;
    stab(node.left, key, out);
    if (node.start > key) return;
    if (node.end === null || key < node.end) out.push(node.value);
    node = node.right;
  }
}
