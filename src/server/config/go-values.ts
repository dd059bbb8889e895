/**
 * Values as Go's flag package reads them: etcd's users and start scripts rely on its forms
 * (`0x10`, `1h30m`, `T`) and on its texts. Each parser throws {@link ValueError} with Go's text.
 */

/** A value that does not parse. The message is the part behind the flag's name. */
export class ValueError extends Error {
  override readonly name = "ValueError";
}

const trueWords = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const falseWords = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** The boolean, or null when it is not one. */
export function parseBool(text: string): boolean | null {
  if (trueWords.has(text)) return true;
  return falseWords.has(text) ? false : null;
}

const integerForm = /^([+-]?)(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|[1-9][0-9_]*|0)$/;

/** An integer in any of Go's bases within [min, max], as the nearest number. */
export function parseInteger(text: string, min: bigint, max: bigint): number {
  const match = integerForm.exec(text);
  if (match === null || (min >= 0n && match[1] !== "")) throw new ValueError("parse error");
  const digits = (match[2] ?? "").replaceAll("_", "").replace(/^0[oO]?(?=[0-7])/, "0o");
  if (/^0[xXbBo]$/.test(digits)) throw new ValueError("parse error");
  const value = match[1] === "-" ? -BigInt(digits) : BigInt(digits);
  if (value < min || value > max) throw new ValueError("value out of range");
  return Number(value);
}

/** A decimal uint32, with the text of the parser etcd uses for it. */
export function parseUint32(text: string): number {
  const quoted = JSON.stringify(text);
  if (!/^[0-9]+$/.test(text)) {
    throw new ValueError(`strconv.ParseUint: parsing ${quoted}: invalid syntax`);
  }
  const value = Number(text);
  if (value > 0xffff_ffff) {
    throw new ValueError(`strconv.ParseUint: parsing ${quoted}: value out of range`);
  }
  return value;
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** A Go duration such as `1h30m` or `-1.5s`, in milliseconds. */
export function parseDuration(text: string): number {
  if (/^[+-]?0$/.test(text)) return 0;
  const match = /^([+-]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (match === null) throw new ValueError("parse error");
  let total = 0;
  for (const part of (match[2] ?? "").matchAll(/([0-9.]+)([a-zµμ]+)/g)) {
    total += Number(part[1]) * (unitMs[part[2] ?? ""] ?? 0);
  }
  return match[1] === "-" ? -total : total;
}

/** A duration as Go prints it, for log fields: `100ms`, `1s`, `2h0m0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 1e-3) return `${Math.round(ms * 1e6)}ns`;
  if (ms < 1) return `${ms * 1e3}µs`;
  if (ms < 1_000) return `${ms}ms`;
  const seconds = (ms % 60_000) / 1_000;
  const minutes = Math.floor(ms / 60_000);
  if (minutes === 0) return `${seconds}s`;
  if (minutes < 60) return `${minutes}m${seconds}s`;
  return `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}s`;
}
