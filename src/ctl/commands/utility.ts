/** Locks, elections, mirrors, checks and what is about the program itself. */
import { etcdVersion } from "../../base/version.ts";
import type { CommandSpec } from "../../cli/command.ts";
import { Command } from "../../cli/command.ts";
import { completionCommand } from "../../cli/completion-command.ts";
import { flagUsages } from "../../cli/flag.ts";
import type { CtlCall, CtlSpec } from "./spec.ts";
import { flag, group, parent } from "./spec.ts";

const lock: CtlSpec = {
  use: "lock <lockname> [exec-command arg1 arg2 ...]",
  short: "Acquires a named lock",
  group: group.concurrency,
  flags: [flag("int", "ttl", "timeout for session", { value: "10" })],
  run: async (call) => (await import("../run/lock.ts")).runLock(call),
};

const elect: CtlSpec = {
  use: "elect <election-name> [proposal]",
  short: "Observes and participates in leader election",
  group: group.concurrency,
  flags: [flag("bool", "listen", "observation mode", { short: "l" })],
  run: async (call) => (await import("../run/elect.ts")).runElect(call),
};

const makeMirror: CtlSpec = {
  use: "make-mirror [options] <destination>",
  short: "Makes a mirror at the destination etcd cluster",
  group: group.utility,
  flags: [
    flag("string", "prefix", "Key-value prefix to mirror"),
    flag("int64", "rev", "Specify the kv revision to start to mirror"),
    flag(
      "uint",
      "max-txn-ops",
      "Maximum number of operations permitted in a transaction during syncing updates.",
      { value: "128" },
    ),
    flag(
      "string",
      "dest-prefix",
      "destination prefix to mirror a prefix to a different prefix in the destination cluster",
    ),
    flag("bool", "no-dest-prefix", "mirror key-values to the root of the destination cluster"),
    flag(
      "string",
      "dest-cert",
      "Identify secure client using this TLS certificate file for the destination cluster",
    ),
    flag("string", "dest-key", "Identify secure client using this TLS key file"),
    flag(
      "string",
      "dest-cacert",
      "Verify certificates of TLS enabled secure servers using this CA bundle",
    ),
    flag("bool", "dest-insecure-transport", "Disable transport security for client connections", {
      value: "true",
    }),
    flag(
      "string",
      "dest-user",
      "Destination username[:password] for authentication (prompt if password is not supplied)",
    ),
    flag(
      "string",
      "dest-password",
      "Destination password for authentication " +
        "(if this option is used, --user option shouldn't include password)",
    ),
  ],
  run: async (call) => (await import("../run/make-mirror.ts")).runMakeMirror(call),
};

const loads = ["small", "medium", "large", "xLarge"];
const models = "Accepted workloads: s(small), m(medium), l(large), xl(xLarge)";
const afterCheck = [
  flag("bool", "auto-compact", "Compact storage with last revision after test is finished."),
  flag("bool", "auto-defrag", "Defragment storage after test is finished."),
];
const perfFlags = [
  flag(
    "string",
    "load",
    `The performance check's workload model. ${models}. Different workload models use ` +
      "different configurations in terms of number of clients and expected throughput.",
    { value: "s", complete: loads },
  ),
  flag("string", "prefix", "The prefix for writing the performance check's keys.", {
    value: "/etcdctl-check-perf/",
  }),
  ...afterCheck,
];
const datascaleFlags = [
  flag("string", "load", `The datascale check's workload model. ${models}`, { value: "s" }),
  flag("string", "prefix", "The prefix for writing the datascale check's keys.", {
    value: "/etcdctl-check-datascale/",
  }),
  ...afterCheck,
];

const checks: readonly CtlSpec[] = [
  {
    use: "perf [options]",
    short: "Check the performance of the etcd cluster",
    flags: perfFlags,
    run: async (call) => (await import("../run/check-perf.ts")).runCheckPerf(call),
  },
  {
    use: "datascale [options]",
    short:
      "Check the memory usage of holding data for different workloads on a given server endpoint.",
    long: "Of several endpoints the first is checked; without any, this machine.",
    flags: datascaleFlags,
    run: async (call) => (await import("../run/check-datascale.ts")).runCheckDatascale(call),
  },
];

const options: CtlSpec = {
  use: "options",
  short: "Show the global command-line flags",
  group: group.utility,
  run: ({ command, output }: CtlCall) => {
    const shown = (command.root.spec.persistentFlags ?? []).map(({ isHidden: _, ...spec }) => spec);
    const lines = flagUsages(new Command({ ...bare, flags: shown }).flagSet(true).specs());
    output.out(`The following options can be passed to any command:\n\n${lines}`);
  },
};

const bare: CommandSpec<unknown> = { use: "options", short: "" };

const version = (program: string): CtlSpec => ({
  use: "version",
  short: `Prints the version of ${program}`,
  group: group.utility,
  run: ({ output }: CtlCall) => {
    const api = etcdVersion.split(".").slice(0, 2).join(".");
    output.out(`${program} version: ${etcdVersion}\nAPI version: ${api}\n`);
  },
});

export function utilityCommands(program: string): readonly CtlSpec[] {
  return [
    lock,
    elect,
    makeMirror,
    parent(
      { use: "check <subcommand>", group: group.utility },
      program,
      checks,
      "commands for checking properties of the etcd cluster",
    ),
    { ...completionCommand(program), group: group.utility },
    options,
    version(program),
  ];
}
