/**
 * HPACK's Huffman code (RFC 7541 appendix B), made from its code lengths: the code is canonical.
 */

/** Code length in bits of each byte value, then of the end-of-string symbol. */
const codeLengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const endOfString = 256;
const codeBitsMax = 30;

const codes = assignCodes();

/** Codes rise with length, then with symbol. */
function assignCodes(): Uint32Array {
  const out = new Uint32Array(endOfString + 1);
  let code = 0;
  for (let bits = 1; bits <= codeBitsMax; bits++) {
    for (let symbol = 0; symbol <= endOfString; symbol++) {
      if (codeLengths[symbol] === bits) out[symbol] = code++;
    }
    code *= 2;
  }
  return out;
}

// Decoding walks the code tree four bits at a time. A state is an inner node of the tree (256 of
// them); no code is shorter than five bits, so a step yields at most one symbol.
const emits = 1 << 16;
const fails = 1 << 17;
const steps = new Uint32Array(256 * 16);
/** States in which the string may end: padding of at most seven one-bits. */
const accepting = new Uint8Array(256);
buildSteps();

function buildSteps(): void {
  const left: number[] = [0];
  const right: number[] = [0];
  // Positive: inner node; negative: leaf -1-symbol; 0: not yet made (node 0 is the root).
  for (let symbol = 0; symbol <= endOfString; symbol++) {
    let node = 0;
    for (let bit = codeLengths[symbol]! - 1; bit >= 0; bit--) {
      const side = (codes[symbol]! >>> bit) & 1 ? right : left;
      if (bit === 0) {
        side[node] = -1 - symbol;
      } else {
        if (side[node] === 0) {
          side[node] = left.length;
          left.push(0);
          right.push(0);
        }
        node = side[node]!;
      }
    }
  }
  for (let state = 0; state < 256; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      steps[(state << 4) | nibble] = step(state, nibble, left, right);
    }
  }
  let padding = 0;
  for (let ones = 0; ones <= 7; ones++) {
    accepting[padding] = 1;
    padding = right[padding]!;
  }
}

function step(state: number, nibble: number, left: number[], right: number[]): number {
  let node = state;
  let found = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = ((nibble >>> bit) & 1 ? right : left)[node]!;
    if (next < 0) {
      const symbol = -1 - next;
      if (symbol === endOfString) return fails;
      found = emits | (symbol << 8);
      node = 0;
    } else {
      node = next;
    }
  }
  return found | node;
}

let scratch = new Uint8Array(256);

/** The decoded bytes as a binary string; null when the code or its padding is wrong. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | null {
  const longest = (((end - start) * 8) / 5) | 0;
  if (scratch.length < longest) scratch = new Uint8Array(longest * 2);
  const out = scratch;
  let length = 0;
  let state = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    let s = steps[(state << 4) | (byte >>> 4)]!;
    if (s >= emits) {
      if (s >= fails) return null;
      out[length++] = (s >>> 8) & 0xff;
    }
    s = steps[((s & 0xff) << 4) | (byte & 15)]!;
    if (s >= emits) {
      if (s >= fails) return null;
      out[length++] = (s >>> 8) & 0xff;
    }
    state = s & 0xff;
  }
  if (accepting[state] === 0) return null;
  return binaryText(out, 0, length);
}

/** One character per byte. */
export function binaryText(bytes: Uint8Array, start: number, end: number): string {
  let out = "";
  for (let at = start; at < end; at += 4096) {
    const until = at + 4096 < end ? at + 4096 : end;
    out += String.fromCharCode.apply(null, bytes.subarray(at, until) as unknown as number[]);
  }
  return out;
}

/** Bytes that the code takes for a binary string. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += codeLengths[text.charCodeAt(i) & 0xff]!;
  return (bits + 7) >>> 3;
}

/** Writes the code of a binary string, padded with one-bits, and returns where it ends. */
export function encodeHuffman(text: string, target: Uint8Array, at: number): number {
  let pending = 0;
  let pendingBits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    let bits = codeLengths[symbol]!;
    const code = codes[symbol]!;
    // At most 7 bits wait; codes go in pieces so that 32 bits suffice.
    while (bits > 0) {
      const take = bits > 16 ? 16 : bits;
      bits -= take;
      pending = (pending << take) | ((code >>> bits) & ((1 << take) - 1));
      pendingBits += take;
      while (pendingBits >= 8) {
        pendingBits -= 8;
        target[at++] = pending >>> pendingBits;
        pending &= (1 << pendingBits) - 1;
      }
    }
  }
  if (pendingBits > 0) {
    target[at++] = (pending << (8 - pendingBits)) | (0xff >>> pendingBits);
  }
  return at;
}
