/** `utl migrate`: makes a data directory one that another minor version of etcd accepts. */
import { closeSync, openSync, statSync } from "node:fs";
import { toBinaryString, utf8 } from "../base/bytes.ts";
import { BoltReader } from "../bbolt/reader.ts";
import { exitCode, ExitError } from "../cli/run.ts";
import { goQuote } from "../cli/go-quote.ts";
import { ValueError } from "../cli/go-value.ts";
import { Batch } from "../server/backend/backend.ts";
import type { View } from "../server/backend/backend.ts";
import { FilePages, rewriteBolt } from "./bolt-file.ts";
import type { UtlCall } from "./context.ts";
import { ConsoleLog } from "./context.ts";
import { BoltView, databaseError } from "./database.ts";
import { waitForGoFile } from "./file-lock.ts";
import { goDatabasePath } from "./go-directory.ts";
import { done, isOurs, lockDirectory, withBackend } from "./our-directory.ts";
import { orExit } from "./or-exit.ts";

interface Version {
  readonly major: number;
  readonly minor: number;
}

/** The versions between which a step is known; the first one has no row that tells it. */
const minorMin = 5;
const minorMax = 7;
const major = 3;

export async function migrateCommand(call: UtlCall): Promise<void> {
  const target = parseTarget(call.flags.string("target-version"));
  const dataDir = call.flags.string("data-dir");
  const timeoutMs = call.flags.durationMs("timeout");
  const log = new ConsoleLog(call);
  const wanted = { target, isForced: call.flags.bool("force"), log };
  await orExit(async () => {
    if (isOurs(dataDir)) await migrateOurs(dataDir, timeoutMs, wanted);
    else await migrateGo(dataDir, timeoutMs, wanted);
  });
}

/** Ends the program with etcd's text for a version that is none, or too old. */
function parseTarget(text: string): Version {
  const refuse = (message: string): never => {
    throw new ExitError(exitCode.badArgs, message);
  };
  const parts = text.split(".");
  if (parts.length !== 2) {
    return refuse(`wrong target version format, expected "X.Y", got ${goQuote(text)}`);
  }
  try {
    const [x, y] = parts.map(parseDecimal);
    const version = { major: x!, minor: y! };
    const isOld = x! < major || (x === major && y! < minorMin);
    return isOld ? refuse(`target version "${x}.${y}" not supported. Minimal "3.5"`) : version;
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    return refuse(`failed to parse target version: ${error.message}`);
  }
}

/** As Go's semver: decimal digits only. */
function parseDecimal(text: string): number {
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  throw new ValueError(`strconv.ParseInt: parsing ${goQuote(text)}: invalid syntax`);
}

interface Wanted {
  readonly target: Version;
  readonly isForced: boolean;
  readonly log: ConsoleLog;
}

/** The row afterwards: null for none, undefined if it stays as it is. */
function plan(view: View, { target, isForced, log }: Wanted): string | null | undefined {
  const current = currentVersion(view);
  if (current === `${target.major}.${target.minor}.0`) {
    log.info("storage version up-to-date", { "storage-version": shown(target) });
    return undefined;
  }
  const steps = stepsTo(current, target);
  if (typeof steps !== "string") {
    for (const minor of steps) {
      log.info("updated storage version", { "new-storage-version": `${major}.${minor}.0` });
    }
  } else {
    const error = `cannot create migration plan: ${steps}`;
    if (!isForced) throw new Error(error);
    log.info("normal migrate failed, trying with force", { error });
    log.warn("forcefully set storage version", { "storage-version": shown(target) });
  }
  const isUntold = target.major === major && target.minor === minorMin;
  return isUntold ? null : `${target.major}.${target.minor}.0`;
}

const shown = ({ major: x, minor }: Version): string => `${x}.${minor}`;

/** As it stands in the row; a file without one is of etcd 3.5 if it knows its term. */
function currentVersion(view: View): string {
  const row = view.get("meta", utf8("storageVersion"));
  if (row !== null) return toBinaryString(row);
  const term = view.get("meta", utf8("term"));
  if (term === null || term.every((byte) => byte === 0)) {
    throw new Error("missing term information");
  }
  return `${major}.${minorMin}.0`;
}

/** The minor versions on the way, or why there is no way. */
function stepsTo(current: string, target: Version): number[] | string {
  const [x, y] = current.split(".").map(Number);
  if (x !== target.major) return "changing major storage version is not supported";
  const steps: number[] = [];
  let minor = y!;
  while (minor !== target.minor) {
    const isUp = minor < target.minor;
    // A step is known by the higher of its two versions.
    const higher = isUp ? minor + 1 : minor;
    if (higher > minorMax || higher <= minorMin) {
      return `version "${major}.${higher}.0" is not supported`;
    }
    minor += isUp ? 1 : -1;
    steps.push(minor);
  }
  return steps;
}

const rowKey = "storageVersion";

async function migrateOurs(dataDir: string, timeoutMs: number, wanted: Wanted): Promise<void> {
  const directory = await lockDirectory(dataDir, timeoutMs);
  try {
    await withBackend(directory, async (backend) => {
      const view = backend.view();
      let value: string | null | undefined;
      try {
        value = plan(view, wanted);
      } finally {
        view.close();
      }
      if (value === undefined) return;
      const batch = new Batch();
      if (value === null) batch.delete("meta", utf8(rowKey));
      else batch.put("meta", utf8(rowKey), utf8(value));
      await done((callback) => {
        backend.commit(batch, callback);
      });
    });
  } finally {
    directory.release();
  }
}

async function migrateGo(dataDir: string, timeoutMs: number, wanted: Wanted): Promise<void> {
  const path = goDatabasePath(dataDir);
  statSync(path);
  await waitForGoFile(path, timeoutMs);
  const file = openSync(path, "r");
  try {
    const reader = new BoltReader(new FilePages(file));
    const value = plan(new BoltView(reader), wanted);
    if (value === undefined) return;
    rewriteBolt(reader, path, {
      edit: (bucket, key, old) =>
        bucket === "meta" && toBinaryString(key) === rowKey ? null : old,
      ...(value === null ? {} : { add: { bucket: "meta", key: utf8(rowKey), value: utf8(value) } }),
    });
  } catch (error) {
    throw databaseError(error);
  } finally {
    closeSync(file);
  }
}
