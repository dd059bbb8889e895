/** Numbers of a fixed base as Go's strconv reads them. */
import { goQuote } from "../../cli/go-quote.ts";
import { ValueError } from "../../cli/go-value.ts";

const shapes = { 10: /^[+-]?[0-9]+$/, 16: /^[+-]?[0-9a-fA-F]+$/ } as const;

export type Base = keyof typeof shapes;

/** @throws ValueError with Go's text. */
export function parseSigned(text: string, base: Base): bigint {
  const value = magnitude("ParseInt", text, base);
  const signed = text.startsWith("-") ? -value : value;
  if (BigInt.asIntN(64, signed) !== signed) throw outOfRange("ParseInt", text);
  return signed;
}

/** @throws ValueError with Go's text. */
export function parseUnsigned(text: string, base: Base): bigint {
  if (/^[+-]/.test(text)) throw wrong("ParseUint", text, "invalid syntax");
  const value = magnitude("ParseUint", text, base);
  if (BigInt.asUintN(64, value) !== value) throw outOfRange("ParseUint", text);
  return value;
}

function magnitude(call: string, text: string, base: Base): bigint {
  if (!shapes[base].test(text)) throw wrong(call, text, "invalid syntax");
  const digits = text.replace(/^[+-]/, "");
  return BigInt(base === 16 ? `0x${digits}` : digits);
}

function outOfRange(call: string, text: string): ValueError {
  return wrong(call, text, "value out of range");
}

function wrong(call: string, text: string, what: string): ValueError {
  return new ValueError(`strconv.${call}: parsing ${goQuote(text)}: ${what}`);
}
