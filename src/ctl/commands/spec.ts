/** What the tables of commands are made of. */
import type { Call, CommandSpec } from "../../cli/command.ts";
import type { FlagSpec, FlagType } from "../../cli/flag.ts";
import type { CtlContext } from "../context.ts";

export type CtlCall = Call<CtlContext>;
export type CtlSpec = CommandSpec<CtlContext>;

export function flag(
  type: FlagType,
  name: string,
  usage: string,
  more: Partial<FlagSpec> = {},
): FlagSpec {
  return { name, type, usage, ...more };
}

/** Titles of the lists in help, in their order. */
export const group = {
  kv: "Key-value commands",
  maintenance: "Cluster maintenance commands",
  concurrency: "Concurrency commands",
  auth: "Authentication commands",
  utility: "Utility commands",
  additions: "Additions of Quorate",
} as const;

/** The commands below a word that does nothing itself. */
export function parent(
  spec: Pick<CtlSpec, "use" | "long" | "example" | "persistentFlags"> & { readonly group: string },
  program: string,
  commands: readonly CtlSpec[],
  about: string,
): CtlSpec {
  const word = spec.use.split(" ", 1)[0]!;
  return {
    ...spec,
    short: `${about}. Use \`${program} ${word} --help\` to see subcommands`,
    long: spec.long ?? about,
    commands,
  };
}
