/** Texts of gRPC over HTTP/2, with grpc-go's wording where a client can see it. */

/** Percent-encodes what grpc-message may not hold: all but printable ASCII, and "%". */
export function encodeStatusMessage(message: string): string {
  if (/^[ -$&-~]*$/.test(message)) return message;
  let out = "";
  for (const byte of new TextEncoder().encode(message)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    out += plain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

/** As Go's %q for the strings of header fields (one character per byte). */
export function quote(text: string): string {
  let out = '"';
  for (const c of text) {
    const code = c.charCodeAt(0);
    if (c === '"' || c === "\\") out += `\\${c}`;
    else if (code >= 0x20 && code < 0x7f) out += c;
    else if (c === "\t") out += "\\t";
    else out += `\\x${code.toString(16).padStart(2, "0")}`;
  }
  return `${out}"`;
}

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** Milliseconds of a grpc-timeout value, or the reason it has none. */
export function parseTimeout(value: string): number | string {
  if (value.length < 2) return `transport: timeout string is too short: ${quote(value)}`;
  if (value.length > 9) return `transport: timeout string is too long: ${quote(value)}`;
  const unit = unitMs[value[value.length - 1]!];
  if (unit === undefined) return `transport: timeout unit is not recognized: ${quote(value)}`;
  const digits = value.slice(0, -1);
  if (!/^[0-9]+$/.test(digits)) {
    return `strconv.ParseUint: parsing ${quote(digits)}: invalid syntax`;
  }
  return Number(digits) * unit;
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The bytes of a "-bin" value as a binary string, or the offset of the first wrong character. */
export function decodeBase64(text: string): string | number {
  const isPadded = text.length % 4 === 0;
  let end = text.length;
  for (let pad = 0; isPadded && pad < 2 && end > 0 && text[end - 1] === "="; pad++) end--;
  let out = "";
  let bits = 0;
  let held = 0;
  for (let i = 0; i < end; i++) {
    const value = alphabet.indexOf(text[i]!);
    if (value < 0) return i;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += String.fromCharCode((held >>> bits) & 0xff);
    }
  }
  return end % 4 === 1 ? end : out;
}

/** True for "application/grpc" alone, and with "+codec" or ";parameter". */
export function isGrpcContentType(value: string): boolean {
  if (!startsAsGrpc(value)) return false;
  const next = value[16];
  return next === undefined || next === "+" || next === ";";
}

/** True when a request means gRPC, well or badly said. */
export function startsAsGrpc(value: string): boolean {
  return value.startsWith("application/grpc");
}
