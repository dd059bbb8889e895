/** Commands on the cluster and its members. */
import type { CtlSpec } from "./spec.ts";
import { flag, group, parent } from "./spec.ts";

const cluster = flag("bool", "cluster", "use all endpoints from the cluster member list");

const alarms: readonly CtlSpec[] = [
  {
    use: "disarm",
    short: "Disarms all alarms",
    run: async (call) => (await import("../run/alarm.ts")).runDisarm(call),
  },
  {
    use: "list",
    short: "Lists all alarms",
    run: async (call) => (await import("../run/alarm.ts")).runAlarms(call),
  },
];

const defrag: CtlSpec = {
  use: "defrag",
  short: "Defragments the storage of the etcd members with given endpoints",
  group: group.maintenance,
  persistentFlags: [cluster],
  run: async (call) => (await import("../run/defrag.ts")).runDefrag(call),
};

const endpoints: readonly CtlSpec[] = [
  {
    use: "health",
    short: "Checks the healthiness of endpoints specified in `--endpoints` flag",
    run: async (call) => (await import("../run/endpoint-health.ts")).runHealth(call),
  },
  {
    use: "status",
    short: "Prints out the status of endpoints specified in `--endpoints` flag",
    long: `One line for each endpoint, with --write-out=simple: endpoint, ID, version,
storage version, db size, in use, percentage not in use, quota, is leader, is learner,
raft term, raft index, raft applied index, errors, downgrade target version,
downgrade enabled.
`,
    run: async (call) => (await import("../run/endpoint.ts")).runStatus(call),
  },
  {
    use: "hashkv",
    short: "Prints the KV history hash for each endpoint in --endpoints",
    persistentFlags: [flag("int64", "rev", "maximum revision to hash (default: latest revision)")],
    run: async (call) => (await import("../run/endpoint.ts")).runHashKv(call),
  },
];

const peerUrls = (whose: string) =>
  flag("string", "peer-urls", `comma separated peer URLs for the ${whose} member.`);

const members: readonly CtlSpec[] = [
  {
    use: "add <memberName> [options]",
    short: "Adds a member into the cluster",
    flags: [
      peerUrls("new"),
      flag("bool", "learner", "indicates if the new member is raft learner"),
    ],
    run: async (call) => (await import("../run/member.ts")).runAdd(call),
  },
  {
    use: "remove <memberID>",
    short: "Removes a member from the cluster",
    run: async (call) => (await import("../run/member.ts")).runRemove(call),
  },
  {
    use: "update <memberID> [options]",
    short: "Updates a member in the cluster",
    flags: [peerUrls("updated")],
    run: async (call) => (await import("../run/member.ts")).runUpdate(call),
  },
  {
    use: "list",
    short: "Lists all members in the cluster",
    long: `One line for each member, with --write-out=simple: ID, status, name, peer addresses,
client addresses, is learner.
`,
    flags: [
      flag("string", "consistency", "Linearizable(l) or Serializable(s)", {
        value: "l",
      }),
    ],
    run: async (call) => (await import("../run/member.ts")).runMembers(call),
  },
  {
    use: "promote <memberID>",
    short: "Promotes a non-voting member in the cluster",
    run: async (call) => (await import("../run/member.ts")).runPromote(call),
  },
];

const moveLeader: CtlSpec = {
  use: "move-leader <transferee-member-id>",
  short: "Transfers leadership to another etcd cluster member.",
  group: group.maintenance,
  run: async (call) => (await import("../run/move-leader.ts")).runMoveLeader(call),
};

const snapshotExample = (program: string): string => `  # The only endpoint's snapshot into a file
  ${program} snapshot save /backup/etcd-snapshot.db

  # The snapshot of a certain member
  ${program} --endpoints=10.0.0.1:2379 snapshot save /backup/etcd-snapshot.db

  # With certificates
  ${program} --endpoints=https://10.0.0.1:2379 --cacert=ca.crt --cert=etcd.crt --key=etcd.key \\
    snapshot save etcd-snapshot.db`;

const snapshot = (program: string): CtlSpec => ({
  use: "snapshot <subcommand>",
  short: "Manages etcd node snapshots",
  example: snapshotExample(program),
  group: group.maintenance,
  commands: [
    {
      use: "save <filename>",
      short: "Stores an etcd node backend snapshot to a given file",
      example: snapshotExample(program),
      run: async (call) => (await import("../run/snapshot.ts")).runSave(call),
    },
  ],
});

const downgrades: readonly CtlSpec[] = [
  {
    use: "validate <TARGET_VERSION>",
    short: "Validate downgrade capability before starting downgrade",
    run: async (call) => (await import("../run/downgrade.ts")).runValidate(call),
  },
  {
    use: "enable <TARGET_VERSION>",
    short: "Start a downgrade action to cluster",
    run: async (call) => (await import("../run/downgrade.ts")).runEnable(call),
  },
  {
    use: "cancel",
    short: "Cancel the ongoing downgrade action to cluster",
    run: async (call) => (await import("../run/downgrade.ts")).runCancel(call),
  },
];

export function clusterCommands(program: string): readonly CtlSpec[] {
  const title = group.maintenance;
  return [
    parent({ use: "alarm <subcommand>", group: title }, program, alarms, "Alarm related commands"),
    defrag,
    parent(
      { use: "endpoint <subcommand>", group: title, persistentFlags: [cluster] },
      program,
      endpoints,
      "Endpoint related commands",
    ),
    moveLeader,
    parent(
      { use: "member <subcommand>", group: title },
      program,
      members,
      "Membership related commands",
    ),
    snapshot(program),
    parent(
      { use: "downgrade <TARGET_VERSION>", group: title },
      program,
      downgrades,
      "Downgrade related commands",
    ),
  ];
}
