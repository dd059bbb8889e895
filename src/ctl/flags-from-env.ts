/** Flags from the environment: `ETCDCTL_` and the name in capitals. */
import type { FlagSet } from "../cli/flag.ts";
import { FlagError } from "../cli/flag.ts";
import { ExitError, exitCode } from "../cli/run.ts";
import type { CtlCall } from "./commands/spec.ts";
import { logLine } from "./log.ts";

const prefix = "ETCDCTL_";

export function variableOf(flagName: string): string {
  return prefix + flagName.toUpperCase().replaceAll("-", "_");
}

/** Those that `watch` reads itself. */
const watchVariables = ["ETCDCTL_WATCH_KEY", "ETCDCTL_WATCH_RANGE_END"] as const;

/** Sets flags that the command did not define itself and that were not given. */
export function readEnvironment({ command, flags, context, output }: CtlCall): void {
  const names = command.inheritedFlags().map(({ name }) => name);
  const used = new Set<string>(command.name === "watch" ? watchVariables : []);
  const given = new Set<string>();
  for (const name of names) {
    const variable = variableOf(name);
    if (flags.isChanged(name)) {
      given.add(variable);
    } else if ((context.env[variable] ?? "") !== "") {
      used.add(variable);
      setIfReadable(flags, name, context.env[variable]!);
    }
  }
  for (const [variable, value] of Object.entries(context.env)) {
    if (used.has(variable) || !variable.startsWith(prefix)) continue;
    if (given.has(variable)) {
      output.err(logLine("fatal", conflictText, { "environment-variable": variable }));
      throw new ExitError(exitCode.error, "");
    }
    const shown = `${variable}=${value ?? ""}`;
    output.err(
      logLine("warn", "unrecognized environment variable", { "environment-variable": shown }),
    );
  }
}

const conflictText =
  "conflicting environment variable is shadowed by corresponding command-line flag " +
  "(either unset environment variable or disable flag))";

/** As in Go, what cannot be read is passed over. */
function setIfReadable(flags: FlagSet, name: string, value: string): void {
  try {
    flags.set(name, value);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
  }
}
