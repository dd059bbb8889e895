/** The commands of `utl` as a table: those of etcdutl 3.7.1, and ours behind names of their own. */
import { completionCommand } from "../cli/completion-command.ts";
import type { CommandSpec, ProgramSpec } from "../cli/command.ts";
import type { FlagSpec } from "../cli/flag.ts";
import { etcdVersion } from "../base/version.ts";
import type { UtlContext } from "./context.ts";

type Spec = CommandSpec<UtlContext>;

const dataDir = (usage: string): FlagSpec => ({
  name: "data-dir",
  type: "string",
  usage,
  isRequired: true,
  complete: "directory",
});

const apiVersion = etcdVersion.split(".").slice(0, 2).join(".");

const walDir: FlagSpec = {
  name: "wal-dir",
  type: "string",
  usage: "Path to the WAL directory (use --data-dir if none given)",
  complete: "directory",
};

const formats = ["fields", "json", "protobuf", "simple", "table"];

const globals: readonly FlagSpec[] = [
  {
    name: "timeout",
    type: "duration",
    value: "10s",
    usage: "time to wait to obtain a file lock on db file, 0 to block indefinitely",
  },
  {
    name: "write-out",
    short: "w",
    type: "string",
    value: "simple",
    usage: `set the output format (${formats.join(", ")})`,
    complete: formats,
  },
];

const defrag: Spec = {
  use: "defrag",
  short: "Defragments the storage of the etcd",
  flags: [dataDir("Required. Defragments a data directory not in use by etcd.")],
  run: async (call) => (await import("./defrag.ts")).defragCommand(call),
};

const hashKv: Spec = {
  use: "hashkv <filename>",
  short: "Prints the KV history hash of a given file",
  args: { min: 1, max: 1 },
  flags: [
    { name: "rev", type: "int64", usage: "maximum revision to hash (default: latest revision)" },
  ],
  run: async (call) => (await import("./hash-command.ts")).hashKvCommand(call),
};

const migrate: Spec = {
  use: "migrate",
  short:
    "Migrates schema of etcd data dir files to make them compatible with different etcd version",
  flags: [
    dataDir("Path to the etcd data dir"),
    {
      name: "target-version",
      type: "string",
      usage:
        "Target etcd version to migrate contents of data dir. Minimal value 3.5. " +
        'Format "X.Y" for example 3.6.',
      isRequired: true,
    },
    {
      name: "force",
      type: "bool",
      usage: "Ignore migration failure and forcefully override storage version. Not recommended.",
    },
  ],
  run: async (call) => (await import("./migrate.ts")).migrateCommand(call),
};

/** Bytes that Go maps at first; kept as a flag, of no use here. */
const initialMapBytes = 10 * 1024 ** 3;

const restoreFlags: readonly FlagSpec[] = [
  {
    name: "data-dir",
    type: "string",
    usage: "Path to the output data directory",
    complete: "directory",
  },
  walDir,
  {
    name: "initial-cluster",
    type: "string",
    value: "default=http://localhost:2380",
    usage: "Initial cluster configuration for restore bootstrap",
  },
  {
    name: "initial-cluster-token",
    type: "string",
    value: "etcd-cluster",
    usage: "Initial cluster token for the etcd cluster during restore bootstrap",
  },
  {
    name: "initial-advertise-peer-urls",
    type: "string",
    value: "http://localhost:2380",
    usage: "List of this member's peer URLs to advertise to the rest of the cluster",
  },
  {
    name: "name",
    type: "string",
    value: "default",
    usage: "Human-readable name for this member",
  },
  {
    name: "skip-hash-check",
    type: "bool",
    usage: "Ignore snapshot integrity hash value (required if copied from data directory)",
  },
  {
    name: "initial-memory-map-size",
    type: "uint64",
    value: String(initialMapBytes),
    usage:
      "Initial memory map size of the database in bytes. " +
      "It uses the default value if not defined or defined to 0",
  },
  {
    name: "bump-revision",
    type: "uint64",
    usage: "How much to increase the latest revision after restore",
  },
  {
    name: "mark-compacted",
    type: "bool",
    usage:
      "Mark the latest revision after restore as the point of scheduled compaction " +
      "(required if --bump-revision > 0, disallowed otherwise)",
  },
];

const snapshot: Spec = {
  use: "snapshot <subcommand>",
  short: "Manages etcd node snapshots",
  commands: [
    {
      use: "restore <filename> --data-dir {output dir} [options]",
      short: "Restores an etcd member snapshot to an etcd directory",
      flags: restoreFlags,
      run: async (call) => (await import("./restore.ts")).restoreCommand(call),
    },
    {
      use: "status <filename>",
      short: "Gets backend snapshot status of a given file",
      run: async (call) => (await import("./status.ts")).statusCommand(call),
    },
  ],
};

/** Ours; hidden under etcdutl's name, so that its help stays what it is. */
const additions = (isHidden: boolean): Spec[] => [
  {
    use: "verify",
    short: "Checks that WAL, snapshot and backend of a data directory agree",
    isHidden,
    flags: [dataDir("Path to the data directory, not in use"), walDir],
    run: async (call) => (await import("./verify.ts")).verifyCommand(call),
  },
  {
    use: "import-etcd",
    short: "Makes a data directory of this server from one of etcd 3.5 to 3.7",
    isHidden,
    flags: [
      {
        name: "from",
        type: "string",
        usage: "Path to the data directory of etcd, not in use; it stays as it is",
        isRequired: true,
        complete: "directory",
      },
      {
        name: "from-wal-dir",
        type: "string",
        usage: "Path to the WAL directory of etcd (use --from if none given)",
        complete: "directory",
      },
      dataDir("Path to the output data directory"),
    ],
    run: async (call) => (await import("./import-etcd.ts")).importCommand(call),
  },
  {
    use: "export-etcd",
    short: "Makes a data directory of etcd 3.7 from one of this server",
    isHidden,
    flags: [
      dataDir("Path to the data directory, not in use; it stays as it is"),
      walDir,
      {
        name: "to",
        type: "string",
        usage: "Path to the output data directory",
        isRequired: true,
        complete: "directory",
      },
    ],
    run: async (call) => (await import("./export-etcd.ts")).exportCommand(call),
  },
];

const version = (name: string): Spec => ({
  use: "version",
  short: `Prints the version of ${name}`,
  run: ({ output }) => output.out(`${name} version: ${etcdVersion}\nAPI version: ${apiVersion}\n`),
});

/** The program under `name`: `etcdutl` or `quorate utl`. */
export function utlProgram(name: string): ProgramSpec<UtlContext> {
  const isEtcd = name === "etcdutl";
  return {
    isHelpShort: true,
    isErrorRepeated: true,
    root: {
      name,
      use: name,
      short: "An administrative command line tool for etcd3.",
      persistentFlags: globals,
      commands: [
        defrag,
        snapshot,
        hashKv,
        version(name),
        completionCommand(name),
        migrate,
        ...additions(isEtcd),
      ],
    },
  };
}
