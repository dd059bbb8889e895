/**
 * Text that may hold any bytes: what is not UTF-8 stands as one lone surrogate for each byte
 * (U+DC80 to U+DCFF), and becomes the same byte again. So keys of any bytes pass through code that
 * splits and compares strings.
 */

const escapeBase = 0xdc00;
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export function looseText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeLoosely(bytes);
  }
}

function decodeLoosely(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const size = validSize(bytes, at);
    if (size === 0) {
      text += byteLetter(bytes[at]!);
      at++;
    } else {
      text += strict.decode(bytes.subarray(at, at + size));
      at += size;
    }
  }
  return text;
}

/** The bytes of the character at `at`; 0 if there is none. */
function validSize(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  const size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + size > bytes.length) return 0;
  try {
    strict.decode(bytes.subarray(at, at + size));
    return size;
  } catch {
    return 0;
  }
}

/** The letter that stands for a byte which is no text. */
export function byteLetter(byte: number): string {
  return byte < 0x80 ? String.fromCharCode(byte) : String.fromCharCode(escapeBase + byte);
}

const escapedByte = /[\udc80-\udcff]/;
const escapedPieces = /(?<![\ud800-\udbff])[\udc80-\udcff]/g;

export function looseBytes(text: string): Uint8Array {
  if (!escapedByte.test(text)) return encoder.encode(text);
  const bytes: number[] = [];
  let from = 0;
  for (const match of text.matchAll(escapedPieces)) {
    bytes.push(...encoder.encode(text.slice(from, match.index)));
    bytes.push(match[0].charCodeAt(0) - escapeBase);
    from = match.index + 1;
  }
  bytes.push(...encoder.encode(text.slice(from)));
  return Uint8Array.from(bytes);
}
