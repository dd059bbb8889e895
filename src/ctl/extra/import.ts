/**
 * `ctl import`: puts the keys of an export, in its order, in transactions.
 *
 * IM1  Transactions go one after the other: of two lines with one key the later one is right.
 * IM2  Progress moves only over what the cluster has answered (IP1).
 * IM3  Leases are kept alive until the import is over.
 */
import { closeSync, fstatSync, openSync } from "node:fs";
import { compare, toBinaryString } from "../../base/bytes.ts";
import { ExitError, exitCode } from "../../cli/run.ts";
import { errorText } from "../../cli/system-error.ts";
import type { Caller } from "../../client/caller.ts";
import { ClusterArea } from "../../client/cluster.ts";
import { LeaseExistsError } from "../../client/errors.ts";
import { KvArea } from "../../client/kv.ts";
import { LeaseArea } from "../../client/lease/lease-area.ts";
import { op } from "../../client/op.ts";
import type { KeepAlive, PutOp } from "../../client/types.ts";
import type { CtlCall } from "../commands/spec.ts";
import { looseBytes } from "../input/loose-text.ts";
import { ProgressBar } from "../progress.ts";
import { badUse } from "../run/get.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import type { Place } from "./import-progress.ts";
import { firstPlace, ImportProgress } from "./import-progress.ts";
import type { ExportedKey, LeaseOfKey } from "./json-line.ts";
import { LineError, parseLine } from "./json-line.ts";
import type { Line, Lines } from "./lines.ts";
import { fileLines, inputLines } from "./lines.ts";

/** Below what servers take for one request unless they are told otherwise. */
const batchBytesMax = 1024 * 1024;

export async function runImport(call: CtlCall): Promise<void> {
  if (call.args.length > 1) throw badUse("import takes at most one argument, the file");
  const [path = "-"] = call.args;
  if (call.flags.int("max-txn-ops") < 1) throw badUse("--max-txn-ops must be 1 or more");
  const session = await openSession(call);
  if (path === "-") {
    const lines = inputLines(call.context.stdin);
    const keys = await session.run(({ caller }) =>
      new Import(session, caller, null).run(lines, firstPlace),
    );
    session.print(`imported ${keys} keys\n`);
    return;
  }
  const file = openInput(path);
  try {
    const keys = await session.run(({ caller }) => importFile(session, caller, path, file));
    session.print(`imported ${keys} keys from ${path}\n`);
  } finally {
    closeSync(file);
  }
}

function openInput(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw new ExitError(exitCode.error, errorText(error), { cause: error });
  }
}

async function importFile(
  session: Session,
  caller: Caller,
  path: string,
  file: number,
): Promise<number> {
  const { flags, output } = session.call;
  const { header } = await new ClusterArea(caller).memberList(session.short);
  const named = flags.string("progress");
  const kept = named === "" ? `${path}.progress` : named;
  const progress = new ImportProgress(kept, file, header.clusterId.toString(16));
  if (flags.bool("restart")) progress.remove();
  const place = progress.load();
  if (place.lines > 0) output.err(`going on behind line ${place.lines} of ${path}\n`);
  const total = fstatSync(file).size;
  const bar = new ProgressBar(session.call, "bytes");
  const keep = (done: Place): void => {
    progress.save(done);
    bar.update(done.offset, total);
  };
  try {
    const keys = await new Import(session, caller, keep).run(fileLines(file, place.offset), place);
    progress.remove();
    return keys;
  } finally {
    bar.end();
  }
}

class Import {
  readonly #session: Session;
  readonly #kv: KvArea;
  readonly #leases: Leases | null;
  readonly #keep: ((place: Place) => void) | null;
  readonly #prefix: Uint8Array;
  readonly #opsMax: number;
  #place: Place = firstPlace;
  #batch = new Map<string, PutOp>();
  #batchBytes = 0;
  #isEnded = false;

  constructor(session: Session, caller: Caller, keep: ((place: Place) => void) | null) {
    const { flags } = session.call;
    this.#session = session;
    this.#kv = new KvArea(caller);
    this.#leases = flags.bool("leases") ? new Leases(session, caller) : null;
    this.#keep = keep;
    this.#prefix = looseBytes(flags.string("prefix"));
    this.#opsMax = flags.int("max-txn-ops");
  }

  /** Returns how many keys were imported, with those of runs before. */
  async run(lines: Lines, from: Place): Promise<number> {
    this.#place = from;
    try {
      for await (const line of lines) {
        if (this.#isCutOff(line)) break;
        await this.#take(line);
      }
      await this.#flush();
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      const text = `line ${this.#place.lines + 1}: ${error.message}`;
      throw new ExitError(exitCode.invalidInput, text, { cause: error });
    } finally {
      this.#leases?.stop(); // IM3
    }
    const { isExport, keys } = this.#place;
    if (isExport && !this.#isEnded) {
      const text = `the export was cut off; what is there, ${keys} keys, was imported`;
      throw new ExitError(exitCode.invalidInput, text);
    }
    return keys;
  }

  async #take(line: Line): Promise<void> {
    const place = this.#place;
    const parsed = line.text.trim() === "" ? null : parseLine(line.text);
    const isAsked = parsed?.kind === "key" && this.#isAsked(parsed.key);
    if (isAsked) await this.#put(parsed);
    if (parsed?.kind === "head" || parsed?.kind === "end") this.#isEnded = parsed.kind === "end";
    this.#place = {
      offset: line.end,
      lines: place.lines + 1,
      keys: place.keys + (isAsked ? 1 : 0),
      isExport: place.isExport || parsed?.kind === "head",
    };
    if (this.#batch.size >= this.#opsMax) await this.#flush();
  }

  /** The last line of an export that was interrupted: told at the end, never passed over. */
  #isCutOff(line: Line): boolean {
    return !line.isWhole && this.#place.isExport && !this.#isEnded;
  }

  #isAsked(key: Uint8Array): boolean {
    return compare(key.subarray(0, this.#prefix.length), this.#prefix) === 0;
  }

  async #put({ key, value, lease }: ExportedKey): Promise<void> {
    const bytes = key.length + value.length;
    const name = toBinaryString(key);
    // A transaction puts no key twice.
    if (this.#batch.has(name) || this.#batchBytes + bytes > batchBytesMax) await this.#flush();
    const id = lease === null ? 0n : ((await this.#leases?.granted(lease)) ?? 0n);
    this.#batch.set(name, op.put(key, value, id === 0n ? {} : { lease: id }));
    this.#batchBytes += bytes;
  }

  async #flush(): Promise<void> {
    if (this.#batch.size > 0) {
      const puts = [...this.#batch.values()];
      await this.#kv
        .txn()
        .then(...puts)
        .commit(this.#session.short); // IM1
    }
    this.#batch = new Map();
    this.#batchBytes = 0;
    if (this.#place.offset > 0 && !this.#isEnded) this.#keep?.(this.#place); // IM2
  }
}

/** Leases of the export, granted when they are first met. */
class Leases {
  readonly #session: Session;
  readonly #area: LeaseArea;
  readonly #kept = new Map<bigint, KeepAlive>();

  constructor(session: Session, caller: Caller) {
    this.#session = session;
    this.#area = new LeaseArea(caller);
  }

  /** The id, once the lease is there. @throws LineError */
  async granted({ id, ttlSeconds }: LeaseOfKey): Promise<bigint> {
    if (this.#kept.has(id)) return id;
    if (ttlSeconds < 1) throw new LineError("the lease has no lease_ttl");
    try {
      await this.#area.grant(ttlSeconds, { ...this.#session.short, id });
    } catch (error) {
      if (!(error instanceof LeaseExistsError)) throw error; // from a run before
    }
    this.#kept.set(id, this.#area.keepAlive(id));
    return id;
  }

  stop(): void {
    for (const lease of this.#kept.values()) lease.stop();
  }
}
