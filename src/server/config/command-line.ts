/** Flags and `ETCD_` variables, read as Go's flag package and etcd do. */
import type { LogFields } from "../../base/log.ts";
import { flagAliases, flagTable } from "./flag-table.ts";
import { FlagValues } from "./flag-values.ts";
import { ValueError } from "./go-values.ts";

/** A log line to be written once there is a log. */
export interface Note {
  readonly level: "info" | "warn" | "fatal";
  readonly message: string;
  readonly fields: LogFields;
}

export type CommandLine =
  | { readonly kind: "flags"; readonly values: FlagValues; readonly rest: readonly string[] }
  | { readonly kind: "help" }
  | { readonly kind: "error"; readonly message: string };

/** Reads flags up to the first argument that is none, or behind `--`. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const values = new FlagValues();
  let at = 0;
  while (at < args.length) {
    const arg = args[at] ?? "";
    if (arg.length < 2 || !arg.startsWith("-")) break;
    at++;
    if (arg === "--") break;
    const body = arg.slice(arg.startsWith("--") ? 2 : 1);
    if (/^(?:$|-|=)/.test(body)) return { kind: "error", message: `bad flag syntax: ${arg}` };
    const equals = body.indexOf("=");
    const given = equals === -1 ? body : body.slice(0, equals);
    let text = equals === -1 ? null : body.slice(equals + 1);
    const name = flagAliases[given] ?? given;
    const spec = flagTable[name];
    if (spec === undefined) {
      if (name === "help" || name === "h") return { kind: "help" };
      return { kind: "error", message: `flag provided but not defined: -${given}` };
    }
    if (text === null && spec.kind === "bool") text = "true";
    if (text === null) {
      const next = args[at];
      if (next === undefined) {
        return { kind: "error", message: `flag needs an argument: -${given}` };
      }
      text = next;
      at++;
    }
    const problem = tryParse(values, name, text);
    if (problem !== null) {
      const what = spec.kind === "bool" ? "boolean value" : "value";
      const where = spec.kind === "bool" ? `-${given}` : `flag -${given}`;
      const message = `invalid ${what} ${JSON.stringify(text)} for ${where}: ${problem}`;
      return { kind: "error", message };
    }
  }
  return { kind: "flags", values, rest: args.slice(at) };
}

function tryParse(values: FlagValues, name: string, text: string): string | null {
  try {
    values.parse(name, text);
    return null;
  } catch (error) {
    if (error instanceof ValueError) return error.message;
    throw error;
  }
}

/** The variable that stands for a flag. */
function variableOf(name: string): string {
  return `ETCD_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** Variables that mean something else than a flag. */
const reservedVariables = new Set(["ETCD_VERSION", "ETCD_UNSUPPORTED_ARCH"]);

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Fills flags from their variables. Returns what to log; a conflict is a note of level fatal.
 * Throws {@link ValueError} with the whole text when a variable does not parse.
 */
export function applyEnvironment(values: FlagValues, env: Environment): Note[] {
  const notes: Note[] = [];
  const used = new Set<string>(["ETCD_CONFIG_FILE", ...reservedVariables]);
  const shadowed = new Set<string>();
  for (const name of Object.keys(flagTable).sort()) {
    const variable = variableOf(name);
    if (values.isSet(name)) {
      shadowed.add(variable);
      continue;
    }
    const text = env[variable];
    if (text === undefined || text === "") continue;
    const problem = tryParse(values, name, text);
    if (problem !== null) {
      throw new ValueError(`invalid value ${JSON.stringify(text)} for ${variable}: ${problem}`);
    }
    used.add(variable);
    notes.push({
      level: "info",
      message: "recognized and used environment variable",
      fields: { "variable-name": variable, "variable-value": text },
    });
  }
  for (const variable of Object.keys(env)) {
    const fields = { "environment-variable": variable };
    if (shadowed.has(variable)) {
      notes.push({ level: "fatal", message: shadowedText, fields });
    } else if (variable.startsWith("ETCD_") && !used.has(variable)) {
      notes.push({ level: "warn", message: "unrecognized environment variable", fields });
    }
  }
  return notes;
}

// etcd's text, closing bracket included.
const shadowedText =
  "conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))";
