/** One comparison of a transaction as it is typed: `mod("key") > "0"`. */
import { goQuote } from "../../cli/go-quote.ts";
import { ExitError, exitCode } from "../../cli/run.ts";
import type { Compare, CompareResult } from "../../client/types.ts";
import { looseBytes } from "./loose-text.ts";
import { scanQuoted } from "./words.ts";

const targets: Readonly<Record<string, Compare["target"]>> = {
  ver: "version",
  version: "version",
  c: "create",
  create: "create",
  m: "mod",
  mod: "mod",
  val: "value",
  value: "value",
  lease: "lease",
};

const operators: readonly string[] = ["=", "!=", "<", ">"] satisfies CompareResult[];

/** @throws ExitError with etcdctl's text. */
export function parseComparison(line: string): Compare {
  const open = line.indexOf("(");
  if (open === -1) throw malformed(`malformed comparison: ${line}`);
  const name = line.slice(0, open);
  const { key, operator, operand } = scanParts(line, name, line.slice(open + 1));
  const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
  if (target === undefined) {
    throw malformed(`malformed comparison: ${line} (unknown target ${name})`);
  }
  if (!operators.includes(operator)) {
    throw malformed(`malformed comparison: ${line} (unknown operator ${operator})`);
  }
  const parts = { target, result: operator as CompareResult, key: looseBytes(key) };
  if (target === "value") return { ...parts, operand: looseBytes(operand) };
  return { ...parts, operand: parseOperand(line, target, operand) };
}

function parseOperand(line: string, target: Compare["target"], text: string): number | bigint {
  const isLease = target === "lease";
  const shape = isLease ? /^[0-9a-fA-F]{1,16}$/ : /^[+-]?\d{1,19}$/;
  if (!shape.test(text)) throw malformed(`invalid txn compare request: ${line}`);
  if (isLease) return BigInt.asIntN(64, BigInt(`0x${text}`));
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw malformed(`invalid txn compare request: ${line}`);
  return value;
}

/** `"key") operator "operand"`; the operator ends at a blank. */
function scanParts(
  line: string,
  name: string,
  rest: string,
): { key: string; operator: string; operand: string } {
  const key = scanQuoted(rest);
  const wrong = (operator = ""): ExitError => {
    const got = `${name}(${goQuote(looseBytes(key?.value ?? ""))}) ${operator} ""`;
    return malformed(`malformed comparison: ${line}; got ${got}`);
  };
  if (!key?.rest.startsWith(")")) throw wrong();
  const word = /^\s+(\S+)(.*)$/s.exec(key.rest.slice(1));
  if (word === null) throw wrong();
  const operand = scanQuoted(word[2]!);
  if (operand === undefined) throw wrong(word[1]);
  return { key: key.value, operator: word[1]!, operand: operand.value };
}

function malformed(message: string): ExitError {
  return new ExitError(exitCode.invalidInput, message);
}
