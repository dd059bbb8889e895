/** Fields that stay the same for the life of a node, or repeat what others say. */
const skipped = new Set(["config", "inputs", "storage", "_storage"]);

const nameHashes = new Map<string, number>();

/** Two hashes of 32 bits over whatever is mixed in; read as one number of 53 bits. */
class Hasher {
  #a = 0x811c9dc5;
  #b = 0x9e3779b9;

  mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193);
    this.#a ^= this.#a >>> 13;
    this.#b = Math.imul(this.#b ^ value, 0x85ebca6b);
    this.#b ^= this.#b >>> 15;
  }

  get result(): number {
    return (this.#a >>> 0) * 0x200000 + (this.#b >>> 11);
  }
}

/**
 * A number for the value, whatever it is made of: equal states give equal numbers, unequal ones
 * equal numbers by a chance of 2^-53. Counters that only name things (`number`) count relative to
 * `numberBase`; functions and skipped fields do not count.
 */
export function hashOf(value: unknown, numberBase = 0): number {
  const hasher = new Hasher();
  walk(value, numberBase, hasher);
  return hasher.result;
}

function walk(value: unknown, numberBase: number, hasher: Hasher): void {
  if (typeof value === "number") {
    hasher.mix(value | 0);
    if (value > 0x7fffffff) hasher.mix(value === Infinity ? -1 : Math.floor(value / 0x100000000));
  } else if (typeof value === "string") hasher.mix(hashOfName(value));
  else if (typeof value === "bigint") hasher.mix(Number(value));
  else if (typeof value === "object" && value !== null) walkObject(value, numberBase, hasher);
  else hasher.mix(value === true ? 1001 : value === false ? 1002 : value === null ? 1003 : 1004);
}

function walkObject(value: object, numberBase: number, hasher: Hasher): void {
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const items = value as ArrayLike<unknown>;
    hasher.mix(items.length);
    for (let i = 0; i < items.length; i++) walk(items[i], numberBase, hasher);
  } else if (value instanceof Map) {
    // In no order: the sum of what each entry is.
    let sum = 0;
    for (const entry of value) sum = (sum + hashOf(entry, numberBase)) % 0x1fffffffffffff;
    walk(sum, numberBase, hasher);
    hasher.mix(value.size);
  } else {
    const parts = value as Record<string, unknown>;
    for (const key in parts) {
      const part = parts[key];
      if (skipped.has(key) || typeof part === "function") continue;
      hasher.mix(hashOfName(key));
      const isNumber = key === "number" || key === "_number" || key === "sync";
      walk(isNumber ? (part as number) - numberBase : part, numberBase, hasher);
    }
  }
}

function hashOfName(name: string): number {
  let hash = nameHashes.get(name);
  if (hash === undefined) {
    hash = 17;
    for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) | 0;
    nameHashes.set(name, hash);
  }
  return hash;
}
