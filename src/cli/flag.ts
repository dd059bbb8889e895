/**
 * Flags as cobra and pflag read them: anywhere on the line, `--name value`, `--name=value`,
 * `-n value`, `-nvalue`, several short ones in one word, and `--` before what is no flag.
 */
import { assert, must } from "../base/assert.ts";
import { goQuote } from "./go-quote.ts";
import {
  ValueError,
  formatDuration,
  formatList,
  parseBool,
  parseDuration,
  parseInt64,
  parseList,
  parseUint64,
} from "./go-value.ts";

/** `int` and `uint` are 64-bit numbers too, as in Go; `stringSlice` is a comma-separated list. */
export type FlagType =
  "bool" | "string" | "int" | "int64" | "uint" | "uint64" | "duration" | "stringSlice";

export interface FlagSpec {
  readonly name: string;
  /** One ASCII letter. */
  readonly short?: string;
  readonly type: FlagType;
  /** As it would be given on the command line; without it `false`, `0` or empty. */
  readonly value?: string;
  readonly usage: string;
  /** Works, but no help shows it. */
  readonly isHidden?: boolean;
  readonly isRequired?: boolean;
  /** What a shell offers as its value: directories, or these words. */
  readonly complete?: "directory" | readonly string[];
}

/** A command line that cannot be read; the message is pflag's. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

type Value = boolean | string | bigint | string[];

interface Entry {
  readonly spec: FlagSpec;
  value: Value;
  isChanged: boolean;
}

const shownTypes: Readonly<Record<FlagType, string>> = {
  bool: "",
  string: "string",
  int: "int",
  int64: "int",
  uint: "uint",
  uint64: "uint",
  duration: "duration",
  stringSlice: "strings",
};

function parseValue(type: FlagType, text: string): Value {
  switch (type) {
    case "bool":
      return parseBool(text);
    case "string":
      return text;
    case "int":
    case "int64":
      return parseInt64(text);
    case "uint":
    case "uint64":
      return parseUint64(text);
    case "duration":
      return parseDuration(text);
    case "stringSlice":
      return parseList(text);
  }
}

const zeros: Readonly<Record<FlagType, string>> = {
  bool: "false",
  string: "",
  int: "0",
  int64: "0",
  uint: "0",
  uint64: "0",
  duration: "0",
  stringSlice: "",
};

function byName(a: Entry, b: Entry): number {
  return a.spec.name < b.spec.name ? -1 : 1;
}

/** The flags of one command line with their values, in the order of their names. */
export class FlagSet {
  readonly #entries = new Map<string, Entry>();
  readonly #shorts = new Map<string, Entry>();

  /** Of two flags of one name or letter the first counts. */
  constructor(specs: readonly FlagSpec[]) {
    const entries: Entry[] = [];
    const names = new Set<string>();
    for (const spec of specs) {
      if (names.has(spec.name)) continue;
      names.add(spec.name);
      const value = parseValue(spec.type, spec.value ?? zeros[spec.type]);
      entries.push({ spec, value, isChanged: false });
    }
    for (const entry of entries) {
      const { short } = entry.spec;
      if (short !== undefined && !this.#shorts.has(short)) this.#shorts.set(short, entry);
    }
    for (const entry of entries.sort(byName)) this.#entries.set(entry.spec.name, entry);
  }

  specs(): FlagSpec[] {
    return Array.from(this.#entries.values(), (entry) => entry.spec);
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Whether the flag was given (or set by {@link set}). */
  isChanged(name: string): boolean {
    return this.#entries.get(name)?.isChanged ?? false;
  }

  bool(name: string): boolean {
    const { value } = this.#entry(name);
    assert(typeof value === "boolean", () => `--${name} is no truth value`);
    return value;
  }

  string(name: string): string {
    const { value } = this.#entry(name);
    assert(typeof value === "string", () => `--${name} is no text`);
    return value;
  }

  /** A number of 64 bits. */
  int64(name: string): bigint {
    const { value } = this.#entry(name);
    assert(typeof value === "bigint", () => `--${name} is no number`);
    return value;
  }

  /** A number as JavaScript has it: exact up to 2^53. */
  int(name: string): number {
    return Number(this.int64(name));
  }

  /** A duration in nanoseconds. */
  durationNs(name: string): bigint {
    return this.int64(name);
  }

  /** A duration in milliseconds, with fractions. */
  durationMs(name: string): number {
    return Number(this.int64(name)) / 1e6;
  }

  strings(name: string): readonly string[] {
    const { value } = this.#entry(name);
    assert(Array.isArray(value), () => `--${name} is no list`);
    return value;
  }

  /** The value as help and `--debug` show it. */
  text(name: string): string {
    const { spec, value } = this.#entry(name);
    if (Array.isArray(value)) return formatList(value);
    return spec.type === "duration" ? formatDuration(value as bigint) : String(value);
  }

  /** Sets a flag as if it were given. A list grows. @throws FlagError */
  set(name: string, text: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new FlagError(`no such flag -${name}`);
    try {
      const value = parseValue(entry.spec.type, text);
      const before = entry.value;
      const isMore = entry.isChanged && Array.isArray(before) && Array.isArray(value);
      entry.value = isMore ? [...before, ...value] : value;
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      const { short } = entry.spec;
      const shown = short === undefined ? `--${name}` : `-${short}, --${name}`;
      throw new FlagError(
        `invalid argument ${goQuote(text)} for ${goQuote(shown)} flag: ${error.message}`,
      );
    }
    entry.isChanged = true;
  }

  /**
   * Sets the flags of `line` and returns the rest of it.
   * @throws FlagError Flags before the wrong one are set.
   */
  parse(line: readonly string[]): ParsedLine {
    const args: string[] = [];
    const words = [...line];
    for (let word = words.shift(); word !== undefined; word = words.shift()) {
      if (word === "--") return { args: [...args, ...words], argsBeforeDash: args.length };
      if (word.startsWith("--")) this.#parseLong(word, words);
      else if (word.length > 1 && word.startsWith("-")) this.#parseShort(word.slice(1), words);
      else args.push(word);
    }
    return { args, argsBeforeDash: -1 };
  }

  /** Whether `--name` (or the letter `short`) takes no value of its own. */
  isSwitch(name: string): boolean {
    return this.#entries.get(name)?.spec.type === "bool";
  }

  isShortSwitch(short: string): boolean {
    return this.#shorts.get(short)?.spec.type === "bool";
  }

  /** The flag of a letter. */
  byShort(short: string): FlagSpec | undefined {
    return this.#shorts.get(short)?.spec;
  }

  byName(name: string): FlagSpec | undefined {
    return this.#entries.get(name)?.spec;
  }

  #entry(name: string): Entry {
    return must(this.#entries.get(name), `flag --${name}`);
  }

  #parseLong(word: string, words: string[]): void {
    const body = word.slice(2);
    if (body.startsWith("-") || body.startsWith("=")) {
      throw new FlagError(`bad flag syntax: ${word}`);
    }
    const equals = body.indexOf("=");
    const name = equals === -1 ? body : body.slice(0, equals);
    if (!this.#entries.has(name)) throw new FlagError(`unknown flag: --${name}`);
    if (equals !== -1) {
      this.set(name, body.slice(equals + 1));
      return;
    }
    const value = this.isSwitch(name) ? "true" : words.shift();
    if (value === undefined) throw new FlagError(`flag needs an argument: --${name}`);
    this.set(name, value);
  }

  #parseShort(letters: string, words: string[]): void {
    for (let rest = letters; rest !== "";) {
      const letter = rest[0]!;
      const entry = this.#shorts.get(letter);
      if (entry === undefined) {
        throw new FlagError(`unknown shorthand flag: '${letter}' in -${rest}`);
      }
      const { name, type } = entry.spec;
      if (rest.length > 2 && rest[1] === "=") {
        this.set(name, rest.slice(2));
        return;
      }
      if (type !== "bool") {
        const value = rest.length > 1 ? rest.slice(1) : words.shift();
        if (value === undefined) {
          throw new FlagError(`flag needs an argument: '${letter}' in -${rest}`);
        }
        this.set(name, value);
        return;
      }
      this.set(name, "true");
      rest = rest.slice(1);
    }
  }
}

export interface ParsedLine {
  /** What is no flag, in order. */
  readonly args: readonly string[];
  /** How many of `args` came before `--`; -1 without it. */
  readonly argsBeforeDash: number;
}

/** The lines of help about `specs`, hidden ones left out; ends with a line feed, or is empty. */
export function flagUsages(specs: readonly FlagSpec[]): string {
  const lines = specs
    .filter((spec) => spec.isHidden !== true)
    .map((spec) => {
      const dashes = spec.short === undefined ? "      --" : `  -${spec.short}, --`;
      const { name, usage } = valueName(spec);
      return { left: `${dashes}${spec.name}${name === "" ? "" : ` ${name}`}`, usage, spec };
    });
  const width = Math.max(0, ...lines.map(({ left }) => left.length));
  return lines
    .map(({ left, usage, spec }) => `${left.padEnd(width)}   ${usage}${shownDefault(spec)}\n`)
    .join("");
}

/** A name in back quotes in the usage is the value's. */
function valueName(spec: FlagSpec): { name: string; usage: string } {
  const quoted = /`([^`]*)`/.exec(spec.usage);
  if (quoted === null) return { name: shownTypes[spec.type], usage: spec.usage };
  return { name: quoted[1]!, usage: spec.usage.replace(quoted[0], () => quoted[1]!) };
}

function shownDefault(spec: FlagSpec): string {
  const flags = new FlagSet([spec]);
  const shown = flags.text(spec.name);
  const nothing = spec.type === "string" ? [""] : ["0", "0s", "false", "[]"];
  if (nothing.includes(shown)) return "";
  return ` (default ${spec.type === "string" ? goQuote(shown) : shown})`;
}
