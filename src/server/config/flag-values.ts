/** The values of all flags, from whichever source. */
import { assert } from "../../base/assert.ts";
import { parseFeatureGates } from "./feature-gates.ts";
import type { FlagSpec } from "./flag-table.ts";
import { flagTable } from "./flag-table.ts";
import { parseBool, parseDuration, parseInteger, parseUint32, ValueError } from "./go-values.ts";
import type { ConfigUrl } from "./urls.ts";
import { parseUniqueUrls } from "./urls.ts";

/** Durations are milliseconds. */
export type FlagValue =
  | string
  | boolean
  | number
  | readonly ConfigUrl[]
  | readonly string[]
  | ReadonlyMap<string, boolean>;

const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;
const uint64Max = 2n ** 64n - 1n;

/** Parses a flag's text. Throws {@link ValueError}. */
export function parseValue(spec: FlagSpec, text: string): FlagValue {
  switch (spec.kind) {
    case "string":
      if (spec.choices?.includes(text) === false) throw new ValueError("invalid value");
      return text;
    case "bool": {
      const value = parseBool(text);
      if (value === null) throw new ValueError("parse error");
      return value;
    }
    case "int":
      return parseInteger(text, int64Min, int64Max);
    case "uint":
      return parseInteger(text, 0n, uint64Max);
    case "uint32":
      return parseUint32(text);
    case "duration":
      return parseDuration(text);
    case "urls":
      return parseUniqueUrls(text);
    case "list":
      return text === "" ? [] : text.split(",");
    case "gates":
      return parseFeatureGates(text);
  }
}

export class FlagValues {
  readonly #values = new Map<string, FlagValue>();

  /** Sets a known flag from its text; the last one wins. Throws {@link ValueError}. */
  parse(name: string, text: string): void {
    this.set(name, parseValue(specOf(name), text));
  }

  set(name: string, value: FlagValue): void {
    this.#values.set(name, value);
  }

  isSet(name: string): boolean {
    return this.#values.has(name);
  }

  get(name: string): FlagValue {
    const spec = specOf(name);
    return this.#values.get(name) ?? parseValue(spec, spec.initial);
  }

  /** Flags that have a value other than their default. */
  changed(): string[] {
    return [...this.#values.keys()].filter((name) => {
      const spec = specOf(name);
      const initial = parseValue(spec, spec.initial);
      return JSON.stringify(this.get(name)) !== JSON.stringify(initial);
    });
  }

  string(name: string): string {
    const value = this.get(name);
    assert(typeof value === "string", `flag ${name} is no text`);
    return value;
  }

  number(name: string): number {
    const value = this.get(name);
    assert(typeof value === "number", `flag ${name} is no number`);
    return value;
  }

  bool(name: string): boolean {
    const value = this.get(name);
    assert(typeof value === "boolean", `flag ${name} is no boolean`);
    return value;
  }

  urls(name: string): readonly ConfigUrl[] {
    assert(specOf(name).kind === "urls", `flag ${name} holds no URLs`);
    return this.get(name) as readonly ConfigUrl[];
  }

  list(name: string): readonly string[] {
    assert(specOf(name).kind === "list", `flag ${name} is no list`);
    return this.get(name) as readonly string[];
  }

  gates(): ReadonlyMap<string, boolean> {
    return this.get("feature-gates") as ReadonlyMap<string, boolean>;
  }
}

function specOf(name: string): FlagSpec {
  const spec = flagTable[name];
  assert(spec !== undefined, `flag ${name} is not in the table`);
  return spec;
}
