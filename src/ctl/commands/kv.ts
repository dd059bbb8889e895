/** Commands on keys, values, leases and their history. */
import type { CtlSpec } from "./spec.ts";
import { flag, group, parent } from "./spec.ts";

const get: CtlSpec = {
  use: "get [options] <key> [range_end]",
  short: "Gets the key or a range of keys",
  group: group.kv,
  flags: [
    flag("bool", "prefix", "Get keys with matching prefix"),
    flag(
      "bool",
      "from-key",
      "Get keys that are greater than or equal to the given key using byte compare",
    ),
    flag("string", "consistency", "Linearizable(l) or Serializable(s)", {
      value: "l",
      complete: ["l", "s"],
    }),
    flag("string", "order", "Order of results; ASCEND or DESCEND (ASCEND by default)", {
      complete: ["ASCEND", "DESCEND"],
    }),
    flag("string", "sort-by", "Sort target; CREATE, KEY, MODIFY, VALUE, or VERSION", {
      complete: ["CREATE", "KEY", "MODIFY", "VALUE", "VERSION"],
    }),
    flag("int64", "limit", "Maximum number of results"),
    flag("int64", "rev", "Specify the kv revision"),
    flag("bool", "keys-only", "Get only the keys"),
    flag("bool", "count-only", "Get only the count"),
    flag("bool", "print-value-only", 'Only write values when using the "simple" output format'),
    flag("int64", "min-create-rev", "Minimum create revision"),
    flag("int64", "max-create-rev", "Maximum create revision"),
    flag("int64", "min-mod-rev", "Minimum modification revision"),
    flag("int64", "max-mod-rev", "Maximum modification revision"),
    flag("bool", "stream", "Use the RangeStream RPC"),
  ],
  run: async (call) => (await import("../run/get.ts")).runGet(call),
};

const put: CtlSpec = {
  use: "put [options] <key> <value> (<value> can also be given from stdin)",
  short: "Puts the given key into the store",
  long: `
Stores a value under a key.

A key or value that begins with '-' would be read as a flag. Put '--' before it:

$ put <key> -- <value>
$ put -- <key> <value>

Without a value on the command line, and without '--ignore-value', the value is what
standard input holds:

$ put <key> < file
`,
  group: group.kv,
  flags: [
    flag("string", "lease", "lease ID (in hexadecimal) to attach to the key", { value: "0" }),
    flag("bool", "prev-kv", "return the previous key-value pair before modification"),
    flag("bool", "ignore-value", "updates the key using its current value"),
    flag("bool", "ignore-lease", "updates the key using its current lease"),
  ],
  run: async (call) => (await import("../run/put.ts")).runPut(call),
};

const del: CtlSpec = {
  use: "del [options] <key> [range_end]",
  short: "Removes the specified key or range of keys [key, range_end)",
  group: group.kv,
  flags: [
    flag("bool", "prefix", "delete keys with matching prefix"),
    flag("bool", "prev-kv", "return deleted key-value pairs"),
    flag(
      "bool",
      "from-key",
      "delete keys that are greater than or equal to the given key using byte compare",
    ),
    flag("bool", "range", "delete range of keys"),
  ],
  run: async (call) => (await import("../run/del.ts")).runDel(call),
};

const txnLong = (program: string): string => `Reads a transaction from standard input and runs it.

A transaction has three parts, each ended by an empty line:
1) comparisons,
2) requests that run if all comparisons hold,
3) requests that run otherwise.

For example:

---
${program} txn -i
# comparisons, of create, lease, mod, value or version
mod("key1") > "0"

# requests that run if they hold: get, put, del
put key1 "changed"

# requests that run if one does not
put key1 "made"
---`;

const txn = (program: string): CtlSpec => ({
  use: "txn [options]",
  short: "Txn processes all the requests in one transaction",
  long: txnLong(program),
  group: group.kv,
  flags: [flag("bool", "interactive", "Input transaction in interactive mode", { short: "i" })],
  run: async (call) => (await import("../run/txn.ts")).runTxn(call),
});

const watch = (isEtcdctl: boolean): CtlSpec => ({
  use: "watch [options] [key or prefix] [range_end] [--] [exec-command arg1 arg2 ...]",
  short: "Watches events stream on keys or prefixes",
  group: group.kv,
  flags: [
    flag("bool", "interactive", "Interactive mode", { short: "i" }),
    flag("bool", "prefix", "Watch on a prefix if prefix is set"),
    flag("int64", "rev", "Revision to start watching"),
    flag("bool", "prev-kv", "get the previous key-value pair before the event happens"),
    flag("bool", "progress-notify", "get periodic watch progress notification from server"),
    flag(
      "bool",
      "follow-json",
      "Print one JSON object for each change, with keys and values as text",
      {
        isHidden: isEtcdctl,
      },
    ),
  ],
  run: async (call) => (await import("../run/watch.ts")).runWatch(call),
});

const compaction: CtlSpec = {
  use: "compaction [options] <revision>",
  short: "Compacts the event history in etcd",
  group: group.kv,
  flags: [
    flag(
      "bool",
      "physical",
      "'true' to wait for compaction to physically remove all old revisions",
    ),
  ],
  run: async (call) => (await import("../run/compaction.ts")).runCompaction(call),
};

const leases: readonly CtlSpec[] = [
  {
    use: "grant <ttl>",
    short: "Creates leases",
    run: async (call) => (await import("../run/lease.ts")).runGrant(call),
  },
  {
    use: "revoke <leaseID>",
    short: "Revokes leases",
    run: async (call) => (await import("../run/lease.ts")).runRevoke(call),
  },
  {
    use: "timetolive <leaseID> [options]",
    short: "Get lease information",
    flags: [flag("bool", "keys", "Get keys attached to this lease")],
    run: async (call) => (await import("../run/lease.ts")).runTimeToLive(call),
  },
  {
    use: "list",
    short: "List all active leases",
    run: async (call) => (await import("../run/lease.ts")).runList(call),
  },
  {
    use: "keep-alive [options] <leaseID>",
    short: "Keeps leases alive (renew)",
    flags: [
      flag(
        "bool",
        "once",
        "Resets the keep-alive time to its original value and cobrautl.Exits immediately",
      ),
    ],
    run: async (call) => (await import("../run/lease.ts")).runKeepAlive(call),
  },
];

export function kvCommands(program: string, isEtcdctl: boolean): readonly CtlSpec[] {
  const lease = parent(
    { use: "lease <subcommand>", group: group.kv },
    program,
    leases,
    "Lease related commands",
  );
  return [get, put, del, txn(program), compaction, watch(isEtcdctl), lease];
}
