/**
 * Commands that etcdctl does not have. Under its name they work all the same but are not shown, so
 * that its help stays what it is.
 */
import type { CtlSpec } from "../commands/spec.ts";
import { flag, group } from "../commands/spec.ts";

const prefix = flag("string", "prefix", "only keys that begin with this");

const top: CtlSpec = {
  use: "top [options]",
  short: "Shows members, rates, lag and alarms as they change",
  long:
    "Shows members, rates, lag and alarms as they change, until it is interrupted.\n" +
    "Where output is no terminal, or with --once, one look is printed as plain text.",
  flags: [
    flag("bool", "once", "print one look and end"),
    flag("duration", "interval", "time between two looks", { value: "1s" }),
  ],
  run: async (call) => (await import("./top.ts")).runTop(call),
};

const diff: CtlSpec = {
  use: "diff [options] <endpoint or snapshot> <endpoint or snapshot>",
  short: "Compares the keys of two clusters or snapshots",
  long:
    "Compares the keys of two clusters or snapshot files: which are in one only, and which have\n" +
    "other values, leases or versions. Exits with 0 when nothing differs, 1 when something does,\n" +
    "2 when it could not be found out.",
  flags: [
    prefix,
    flag("int64", "revision", "compare as of this revision of both; 0 is the newest of each"),
    flag("bool", "only-values", "take keys with other leases or versions for equal"),
  ],
  run: async (call) => (await import("./diff.ts")).runDiff(call),
};

const exportKeys: CtlSpec = {
  use: "export [options] [file]",
  short: "Writes keys and values as lines of JSON",
  long:
    "Writes keys and values of one revision as lines of JSON, to a file or standard output.\n" +
    "An export to a file that was interrupted goes on with --resume.",
  flags: [
    prefix,
    flag("int64", "revision", "revision to export; 0 is the newest"),
    flag("bool", "leases", "write the lease of each key and how long it was granted for"),
    flag("bool", "resume", "go on with the file that an interrupted export left"),
  ],
  run: async (call) => (await import("./export.ts")).runExport(call),
};

const importKeys: CtlSpec = {
  use: "import [options] [file]",
  short: "Puts keys and values from lines of JSON",
  long:
    "Puts the keys and values of an export, from a file or standard input. How far a file was\n" +
    "imported is kept beside it until the end: an import that was interrupted goes on there.",
  flags: [
    prefix,
    flag("bool", "leases", "grant the leases of the export under their ids"),
    flag("string", "progress", "where to keep how far the import is (default <file>.progress)"),
    flag("bool", "restart", "begin anew, though an import of the file was interrupted"),
    flag("uint", "max-txn-ops", "most keys in one transaction", { value: "128" }),
  ],
  run: async (call) => (await import("./import.ts")).runImport(call),
};

export function extraCommands(isHidden: boolean): readonly CtlSpec[] {
  const all = [top, diff, exportKeys, importKeys];
  return all.map((spec) => ({ ...spec, group: group.additions, isHidden }));
}
