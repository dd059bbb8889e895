/** The YAML configuration file: keys are flag names, TLS settings sit in blocks. */
import { parse, YAMLParseError } from "yaml";
import type { FlagKind, FlagSpec } from "./flag-table.ts";
import { fileBlocks, flagTable } from "./flag-table.ts";
import type { FlagValue } from "./flag-values.ts";
import { FlagValues, parseValue } from "./flag-values.ts";
import { ValueError } from "./go-values.ts";

/** The text of a file that cannot be used; `isPlain`: etcd prints it without a log line. */
export class ConfigFileError extends Error {
  override readonly name = "ConfigFileError";
  readonly isPlain: boolean;
  constructor(message: string, isPlain = false) {
    super(message);
    this.isPlain = isPlain;
  }
}

/** Throws {@link ConfigFileError}. Unknown keys are ignored, as etcd does. */
export function parseConfigFile(text: string): FlagValues {
  const document = parseYaml(text);
  const values = new FlagValues();
  if (document === null || document === undefined) return values;
  if (!isObject(document)) throw mismatch(document, "configYAML", "embed.configYAML", false);
  for (const [key, value] of Object.entries(document)) {
    if (value === null) continue;
    const block = fileBlocks[key];
    if (block !== undefined) {
      readBlock(values, key, block, value);
    } else if (key === "discovery-config") {
      throw new ConfigFileError("discovery-config is not supported by this version of Quorate");
    } else if (flagTable[key] !== undefined) {
      setValue(values, key, value, `${ownerOf(key)}.${key}`);
    }
  }
  return values;
}

function parseYaml(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    const line = error.linePos?.[0].line ?? 1;
    const reason = error.message.split("\n")[0] ?? "";
    throw new ConfigFileError(`error converting YAML to JSON: yaml: line ${line}: ${reason}`);
  }
}

function readBlock(
  values: FlagValues,
  key: string,
  block: Readonly<Record<string, string>>,
  content: unknown,
): void {
  const owner = `configYAML.configJSON.${key}`;
  if (!isObject(content)) throw mismatch(content, owner, "embed.securityConfig", false);
  for (const [inner, value] of Object.entries(content)) {
    const name = block[inner];
    if (name === undefined || value === null) continue;
    setValue(values, name, value, `${owner}.${inner}`);
  }
}

/** Flags that etcd keeps as text beside its Config; their field has another name in messages. */
function ownerOf(key: string): string {
  const isText =
    flagTable[key]?.kind === "urls" || /^(?:cors|host-whitelist|feature-gates)$/.test(key);
  return isText ? "configYAML.configJSON" : "configYAML.Config";
}

const goTypes: Readonly<Record<FlagKind, string>> = {
  string: "string",
  bool: "bool",
  int: "int",
  uint: "uint",
  uint32: "uint32",
  duration: "time.Duration",
  urls: "string",
  list: "[]string",
  gates: "string",
};

function setValue(values: FlagValues, name: string, value: unknown, field: string): void {
  const spec = flagTable[name];
  if (spec === undefined) return;
  try {
    values.set(name, convert(spec, value, field));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    if (spec.kind === "urls") {
      throw new ConfigFileError(`unexpected error setting up ${name}: ${error.message}`, true);
    }
    throw new ConfigFileError(error.message);
  }
}

function convert(spec: FlagSpec, value: unknown, field: string): FlagValue {
  const goType = spec.goType ?? goTypes[spec.kind];
  switch (spec.kind) {
    case "string":
    case "urls":
    case "gates":
      if (typeof value !== "string") throw mismatch(value, field, goType, false);
      return parseValue(spec, value);
    case "bool":
      if (typeof value !== "boolean") throw mismatch(value, field, goType, false);
      return value;
    case "list":
      if (!Array.isArray(value) || !value.every((v) => typeof v === "string")) {
        throw mismatch(value, field, goType, false);
      }
      return value;
    case "int":
    case "uint":
    case "uint32":
    case "duration": {
      if (typeof value !== "number") throw mismatch(value, field, goType, false);
      const isUnsigned = spec.kind === "uint" || spec.kind === "uint32";
      const max = spec.kind === "uint32" ? 0xffff_ffff : 2 ** 63;
      if (!Number.isInteger(value) || (isUnsigned && value < 0) || Math.abs(value) > max) {
        throw mismatch(value, field, goType, true);
      }
      return spec.kind === "duration" ? value / 1e6 : value; // nanoseconds in the file
    }
  }
}

/** The text of Go's JSON decoder. */
function mismatch(
  value: unknown,
  field: string,
  goType: string,
  isValue: boolean,
): ConfigFileError {
  const kind = Array.isArray(value)
    ? "array"
    : typeof value === "object"
      ? "object"
      : typeof value === "boolean"
        ? "bool"
        : typeof value;
  const what = isValue ? `${kind} ${String(value)}` : kind;
  return new ConfigFileError(
    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal " +
      `${what} into Go struct field ${field} of type ${goType}`,
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
