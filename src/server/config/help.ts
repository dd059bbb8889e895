/** `--help` and the usage line. */
import { flagTable } from "./flag-table.ts";

export const usageText = `Usage:

  etcd [flags]
    Start the server.

  etcd --version
    Show the version.

  etcd -h | --help
    Show the flags.

  etcd --config-file
    Path of the configuration file; it takes the place of all other flags and variables.
`;

/** One entry per flag: name, default, meaning. */
export function helpText(): string {
  return Object.entries(flagTable)
    .map(([name, spec]) => {
      const initial = spec.initial === "" ? "''" : `'${spec.initial}'`;
      return `  --${name} ${initial}\n    ${spec.help}\n`;
    })
    .join("");
}
