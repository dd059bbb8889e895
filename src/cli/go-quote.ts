/**
 * Text in Go's quotes, as `%q` prints it: bytes that are not text become `\x..`, so any key can be
 * printed and read back. What counts as printable follows this Node's Unicode tables; Go 1.26 has
 * older ones, which differ in letters added since.
 */

const named: Readonly<Record<number, string>> = {
  0x07: "\\a",
  0x08: "\\b",
  0x09: "\\t",
  0x0a: "\\n",
  0x0b: "\\v",
  0x0c: "\\f",
  0x0d: "\\r",
  0x22: '\\"',
  0x5c: "\\\\",
};

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const plain = /^[ !#-[\]-~]*$/;
const encoder = new TextEncoder();

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** `value` in double quotes with Go's escapes (`strconv.Quote`); never fails. */
export function goQuote(value: string | Uint8Array): string {
  if (typeof value === "string") {
    if (plain.test(value)) return `"${value}"`;
    return goQuote(encoder.encode(value));
  }
  let text = '"';
  let at = 0;
  while (at < value.length) {
    const size = runeBytes(value, at);
    if (size === 0) {
      text += `\\x${hex(value[at]!, 2)}`;
      at++;
      continue;
    }
    text += escapeRune(decodeRune(value, at, size));
    at += size;
  }
  return `${text}"`;
}

function escapeRune(code: number): string {
  const short = named[code];
  if (short !== undefined) return short;
  const letter = String.fromCodePoint(code);
  if (printable.test(letter)) return letter;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

/** The bytes of the UTF-8 sequence at `at`; 0 if there is no valid one. */
function runeBytes(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + size > bytes.length) return 0;
  for (let i = 1; i < size; i++) {
    if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  }
  // Too long a form, a surrogate, or beyond the last code point.
  const second = bytes[at + 1]!;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  return size;
}

function decodeRune(bytes: Uint8Array, at: number, size: number): number {
  const first = bytes[at]!;
  if (size === 1) return first;
  let code = first & (0xff >> (size + 1));
  for (let i = 1; i < size; i++) code = (code << 6) | (bytes[at + i]! & 0x3f);
  return code;
}

/** `value` in back quotes if these can hold it, else as {@link goQuote}: Go's `%#q`. */
export function goRawQuote(value: string): string {
  const isRaw = Array.from(value).every((letter) => {
    const code = letter.codePointAt(0)!;
    return (code >= 0x20 || code === 9) && code !== 0x7f && code !== 0x60 && code !== 0xfeff;
  });
  return isRaw ? `\`${value}\`` : goQuote(value);
}
