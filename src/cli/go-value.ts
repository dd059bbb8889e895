/** Numbers, truth values, durations and lists as Go reads them from a command line. */
import { goQuote } from "./go-quote.ts";

/** A text that is no value of its type; the message is Go's. */
export class ValueError extends Error {
  override readonly name = "ValueError";
}

const truths = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const lies = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** @throws ValueError */
export function parseBool(text: string): boolean {
  if (truths.has(text)) return true;
  if (lies.has(text)) return false;
  throw new ValueError(`strconv.ParseBool: parsing ${goQuote(text)}: invalid syntax`);
}

const literal =
  /^(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])+|0|[1-9](?:_?[0-9])*)$/;

/** A whole number in any of Go's notations (base 0). `undefined`: none. */
function parseMagnitude(text: string): bigint | undefined {
  if (!literal.test(text)) return undefined;
  const digits = text.replaceAll("_", "");
  if (/^0[0-7]+$/.test(digits)) return BigInt(`0o${digits.slice(1)}`);
  return BigInt(digits.toLowerCase());
}

/** A signed 64-bit number. @throws ValueError */
export function parseInt64(text: string): bigint {
  const isNegative = text.startsWith("-");
  const magnitude = parseMagnitude(/^[+-]/.test(text) ? text.slice(1) : text);
  if (magnitude === undefined) throw numberError("ParseInt", text, "invalid syntax");
  const value = isNegative ? -magnitude : magnitude;
  if (BigInt.asIntN(64, value) !== value) throw outOfRange("ParseInt", text);
  return value;
}

/** An unsigned 64-bit number. @throws ValueError */
export function parseUint64(text: string): bigint {
  const value = parseMagnitude(text);
  if (value === undefined) throw numberError("ParseUint", text, "invalid syntax");
  if (BigInt.asUintN(64, value) !== value) throw outOfRange("ParseUint", text);
  return value;
}

function outOfRange(call: string, text: string): ValueError {
  return numberError(call, text, "value out of range");
}

function numberError(call: string, text: string, what: string): ValueError {
  return new ValueError(`strconv.${call}: parsing ${goQuote(text)}: ${what}`);
}

const unitNs: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const durationNsMax = (1n << 63n) - 1n;

/** A duration such as `1h2m3.5s`, in nanoseconds. @throws ValueError */
export function parseDuration(text: string): bigint {
  const isNegative = text.startsWith("-");
  let rest = /^[+-]/.test(text) ? text.slice(1) : text;
  if (rest === "0") return 0n;
  if (rest === "") throw new ValueError(`time: invalid duration ${goQuote(text)}`);
  let sum = 0n;
  while (rest !== "") {
    const part = /^(\d*)(?:\.(\d*))?/.exec(rest)!;
    const [number, whole = "", fraction = ""] = part;
    if (whole === "" && fraction === "") {
      throw new ValueError(`time: invalid duration ${goQuote(text)}`);
    }
    rest = rest.slice(number.length);
    const unit = /^[^.\d]*/.exec(rest)![0];
    if (unit === "") throw new ValueError(`time: missing unit in duration ${goQuote(text)}`);
    const ns = Object.hasOwn(unitNs, unit) ? unitNs[unit] : undefined;
    if (ns === undefined) {
      throw new ValueError(`time: unknown unit ${goQuote(unit)} in duration ${goQuote(text)}`);
    }
    rest = rest.slice(unit.length);
    const scale = 10n ** BigInt(fraction.length);
    sum += BigInt(whole || "0") * ns + (BigInt(fraction || "0") * ns) / scale;
    if (sum > durationNsMax) throw new ValueError(`time: invalid duration ${goQuote(text)}`);
  }
  return isNegative ? -sum : sum;
}

/** A duration of `ns` nanoseconds as Go prints it: `1h2m3.5s`, `1.5ms`, `0s`. */
export function formatDuration(ns: bigint): string {
  if (ns === 0n) return "0s";
  const sign = ns < 0n ? "-" : "";
  const size = ns < 0n ? -ns : ns;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 1_000n)}µs`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 1_000_000n)}ms`;
  const minutes = size / 60_000_000_000n;
  const seconds = `${decimal(size % 60_000_000_000n, 1_000_000_000n)}s`;
  if (minutes === 0n) return sign + seconds;
  const hours = minutes / 60n;
  if (hours === 0n) return `${sign}${minutes}m${seconds}`;
  return `${sign}${hours}h${minutes % 60n}m${seconds}`;
}

function decimal(value: bigint, unit: bigint): string {
  const rest = value % unit;
  if (rest === 0n) return String(value / unit);
  const digits = String(rest).padStart(String(unit).length - 1, "0");
  return `${value / unit}.${digits.replace(/0+$/, "")}`;
}

/** One line of comma-separated values, quoted where it must be. @throws ValueError */
export function parseList(text: string): string[] {
  if (text === "") return [];
  const line = text.split(/\r?\n/, 1)[0]!;
  const items: string[] = [];
  let at = 0;
  for (;;) {
    if (line[at] !== '"') {
      const comma = line.indexOf(",", at);
      const item = comma === -1 ? line.slice(at) : line.slice(at, comma);
      const quote = item.indexOf('"');
      if (quote !== -1) throw listError(at + quote, 'bare " in non-quoted field');
      items.push(item);
      if (comma === -1) return items;
      at = comma + 1;
      continue;
    }
    const { item, end } = quotedItem(line, at);
    items.push(item);
    if (end === line.length) return items;
    at = end + 1;
  }
}

function quotedItem(line: string, start: number): { item: string; end: number } {
  let item = "";
  let at = start + 1;
  for (;;) {
    const quote = line.indexOf('"', at);
    if (quote === -1) throw listError(line.length, 'extraneous or missing " in quoted-field');
    item += line.slice(at, quote);
    at = quote + 1;
    if (line[at] !== '"') break;
    item += '"';
    at++;
  }
  if (at < line.length && line[at] !== ",") {
    throw listError(at - 1, 'extraneous or missing " in quoted-field');
  }
  return { item, end: at };
}

function listError(at: number, what: string): ValueError {
  return new ValueError(`parse error on line 1, column ${at + 1}: ${what}`);
}

/** A list as a flag shows it: `[a,b]`. */
export function formatList(items: readonly string[]): string {
  const shown = items.map((item) =>
    /[",\r\n]|^\s/.test(item) ? `"${item.replaceAll('"', '""')}"` : item,
  );
  return `[${shown.join(",")}]`;
}
