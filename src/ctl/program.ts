/** The table of everything that `ctl` understands. Only names and texts: what commands do is loaded. */
import type { ProgramSpec } from "../cli/command.ts";
import { authCommands } from "./commands/auth.ts";
import { clusterCommands } from "./commands/cluster.ts";
import { kvCommands } from "./commands/kv.ts";
import type { CtlSpec } from "./commands/spec.ts";
import { flag, group } from "./commands/spec.ts";
import { utilityCommands } from "./commands/utility.ts";
import type { CtlContext } from "./context.ts";
import { extraCommands } from "./extra/commands.ts";

/** Flags of every command; each also from the environment, as `ETCDCTL_` and the name. */
const globalFlags = [
  flag("stringSlice", "endpoints", "gRPC endpoints", {
    value: "127.0.0.1:2379",
  }),
  flag("bool", "debug", "enable client-side debug logging"),
  flag("string", "write-out", "set the output format (fields, json, protobuf, simple, table)", {
    short: "w",
    value: "simple",
    complete: ["fields", "json", "protobuf", "simple", "table"],
  }),
  flag("bool", "hex", "print byte strings as hex encoded strings"),
  flag("duration", "dial-timeout", "dial timeout for client connections", { value: "2s" }),
  flag(
    "duration",
    "command-timeout",
    "timeout for short running command (excluding dial timeout)",
    {
      value: "5s",
    },
  ),
  flag("duration", "keepalive-time", "keepalive time for client connections", {
    value: "2s",
  }),
  flag("duration", "keepalive-timeout", "keepalive timeout for client connections", {
    value: "6s",
  }),
  flag(
    "int",
    "max-request-bytes",
    "client-side request send limit in bytes (if 0, it defaults to 2.0 MiB (2 * 1024 * 1024).)",
  ),
  flag(
    "int",
    "max-recv-bytes",
    'client-side response receive limit in bytes (if 0, it defaults to "math.MaxInt32")',
  ),
  flag("bool", "insecure-transport", "disable transport security for client connections", {
    value: "true",
  }),
  flag("bool", "insecure-discovery", "accept insecure SRV records describing cluster endpoints", {
    value: "true",
  }),
  flag(
    "bool",
    "insecure-skip-tls-verify",
    "skip server certificate verification (CAUTION: this option should be enabled only for testing purposes)",
  ),
  flag("string", "cert", "identify secure client using this TLS certificate file"),
  flag("string", "key", "identify secure client using this TLS key file"),
  flag(
    "string",
    "cacert",
    "verify certificates of TLS-enabled secure servers using this CA bundle",
  ),
  flag(
    "string",
    "auth-jwt-token",
    "JWT token used for authentication (if this option is used, --user and --password should not be set)",
  ),
  flag(
    "string",
    "user",
    "username[:password] for authentication (prompt if password is not supplied)",
  ),
  flag(
    "string",
    "password",
    "password for authentication (if this option is used, --user option shouldn't include password)",
  ),
  flag(
    "string",
    "discovery-srv",
    "domain name to query for SRV records describing cluster endpoints",
    { short: "d" },
  ),
  flag("string", "discovery-srv-name", "service name to query when using DNS discovery"),
].map((spec) => ({ ...spec, isHidden: true }));

/** `program`: as help and errors call it. */
export function ctlProgram(program: string): ProgramSpec<CtlContext> {
  const isEtcdctl = program === "etcdctl";
  const groups = [
    ...[group.kv, group.maintenance, group.concurrency, group.auth, group.utility],
    ...(isEtcdctl ? [] : [group.additions]),
  ];
  return {
    root: {
      name: program,
      use: program,
      short: "A simple command line client for etcd3.",
      groups,
      helpGroup: group.utility,
      persistentFlags: globalFlags,
      flags: [{ ...flag("bool", "help", `help for ${program}`, { short: "h" }), isHidden: true }],
      commands: inOrder([
        ...kvCommands(program, isEtcdctl),
        ...clusterCommands(program),
        ...authCommands(program),
        ...utilityCommands(program),
        ...extraCommands(isEtcdctl),
      ]),
    },
    helpFooter: `Use "${program} options" for a list of global command-line options (applies to all commands).`,
  };
}

/** In which names are offered for a mistyped one; those that are not here come behind. */
const offered = [
  ...["get", "put", "del", "txn", "compaction", "alarm", "defrag", "endpoint", "move-leader"],
  ...["watch", "version", "lease", "member", "snapshot", "make-mirror", "lock", "elect", "auth"],
  ...["user", "role", "check", "completion", "downgrade", "options"],
];

function inOrder(commands: readonly CtlSpec[]): CtlSpec[] {
  const place = ({ use }: CtlSpec): number => {
    const at = offered.indexOf(use.split(" ", 1)[0]!);
    return at === -1 ? offered.length : at;
  };
  return [...commands].sort((a, b) => place(a) - place(b));
}
