/**
 * `ctl export`: keys and values of one revision as lines of JSON.
 *
 * EX1  All keys are of the revision in the first line, also after a resume.
 * EX2  Only a whole export ends with the end line; it counts the keys.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  rmSync,
  writeSync,
} from "node:fs";
import { concat } from "../../base/bytes.ts";
import { ExitError, exitCode } from "../../cli/run.ts";
import { errorText } from "../../cli/system-error.ts";
import type { Caller } from "../../client/caller.ts";
import { ClusterArea } from "../../client/cluster.ts";
import { intervalOf } from "../../client/input.ts";
import { KvArea } from "../../client/kv.ts";
import { LeaseArea } from "../../client/lease/lease-area.ts";
import type { CtlCall } from "../commands/spec.ts";
import { looseBytes } from "../input/loose-text.ts";
import { ProgressBar } from "../progress.ts";
import { badUse } from "../run/get.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import type { ExportHead, LeaseOfKey } from "./json-line.ts";
import { endLine, headLine, keyLine, LineError, parseLine } from "./json-line.ts";
import { fileLines } from "./lines.ts";
import { fixedRevision } from "./side.ts";

/** Text collected before it is written. */
const pieceLetters = 64 * 1024;
/** TTLs remembered; then they are asked for again. */
const leasesKnownMax = 100_000;

/** Where an export stands. */
interface Start {
  /** Null: at the beginning. */
  readonly head: ExportHead | null;
  readonly keys: number;
  readonly lastKey: Uint8Array | null;
  readonly isOver: boolean;
}

const beginning: Start = { head: null, keys: 0, lastKey: null, isOver: false };

export async function runExport(call: CtlCall): Promise<void> {
  if (call.args.length > 1) throw badUse("export takes at most one argument, the file");
  const [path = "-"] = call.args;
  const isResumed = call.flags.bool("resume");
  if (path === "-" && isResumed) throw badUse("--resume needs the file that is to be resumed");
  const session = await openSession(call);
  if (path === "-") {
    await session.run(({ caller }) =>
      new Export(session, caller, (text) => session.print(text)).run(beginning),
    );
    return;
  }
  const file = openOutput(path, isResumed);
  try {
    const start = isResumed ? resumedAt(file, path) : beginning;
    const write = (text: string): void => writeText(file, text);
    const keys = await session.run(({ caller }) => new Export(session, caller, write).run(start));
    session.print(`exported ${keys} keys to ${path}\n`);
  } finally {
    // What never began needs no resuming.
    if (fstatSync(file).size === 0) rmSync(path, { force: true });
    closeSync(file);
  }
}

function openOutput(path: string, isResumed: boolean): number {
  try {
    return openSync(path, isResumed ? constants.O_RDWR | constants.O_APPEND : "wx", 0o600);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
    const hint = isThere ? "; --resume goes on with it" : "";
    throw new ExitError(exitCode.error, errorText(error) + hint, { cause: error });
  }
}

function writeText(file: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

/** Reads what is there, cuts off a line that was not finished. @throws ExitError */
function resumedAt(file: number, path: string): Start {
  let start: Start = beginning;
  let end = 0;
  let number = 0;
  try {
    for (const line of fileLines(file, 0)) {
      if (!line.isWhole) break;
      number++;
      const parsed = parseLine(line.text);
      if (parsed.kind === "head") start = { ...start, head: parsed.head };
      else if (parsed.kind === "end") start = { ...start, isOver: true };
      else start = { ...start, keys: start.keys + 1, lastKey: parsed.key };
      if (start.head === null) throw new LineError("the file is no export");
      end = line.end;
    }
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    const text = `${path}, line ${number}: ${error.message}`;
    throw new ExitError(exitCode.invalidInput, text, { cause: error });
  }
  if (fstatSync(file).size > end) ftruncateSync(file, end);
  return start;
}

class Export {
  readonly #session: Session;
  readonly #caller: Caller;
  readonly #write: (text: string) => void;
  readonly #prefix: Uint8Array;
  readonly #hasLeases: boolean;
  /** 0: the lease is gone. */
  readonly #ttlSeconds = new Map<bigint, number>();
  #pending = "";

  constructor(session: Session, caller: Caller, write: (text: string) => void) {
    const { flags } = session.call;
    this.#session = session;
    this.#caller = caller;
    this.#write = write;
    this.#prefix = looseBytes(flags.string("prefix"));
    this.#hasLeases = flags.bool("leases");
  }

  /** Returns how many keys the export holds. */
  async run(start: Start): Promise<number> {
    if (start.isOver) return start.keys;
    const kv = new KvArea(this.#caller);
    const head = await this.#head(kv, start.head);
    const { key, rangeEnd } = intervalOf(head.prefix, { prefix: true });
    const from = start.lastKey === null ? key : concat([start.lastKey, new Uint8Array(1)]);
    const range = { ...this.#session.patient, rangeEnd, revision: head.revision }; // EX1
    // Asked first: what cannot be read leaves no file behind.
    const { count } = await kv.get(from, { ...range, ...this.#session.short, countOnly: true });
    if (start.head === null) this.#add(headLine(head));
    const bar = new ProgressBar(this.#session.call, "count");
    const total = start.keys + count;
    let { keys } = start;
    try {
      for await (const item of kv.stream(from, range)) {
        const lease = head.hasLeases ? await this.#leaseOf(item.lease) : null;
        this.#add(keyLine(item, lease));
        keys++;
        if (this.#toFile) bar.update(keys, total);
      }
    } finally {
      bar.end();
      this.#flush(); // what was read is kept for a resume
    }
    this.#add(endLine(keys)); // EX2
    this.#flush();
    return keys;
  }

  get #toFile(): boolean {
    return (this.#session.call.args[0] ?? "-") !== "-";
  }

  /** @throws ExitError when the file is of another cluster. */
  async #head(kv: KvArea, known: ExportHead | null): Promise<ExportHead> {
    const { header } = await new ClusterArea(this.#caller).memberList(this.#session.short);
    const clusterId = header.clusterId.toString(16);
    if (known !== null) {
      if (known.clusterId === clusterId) return known;
      const text = `the file is of cluster ${known.clusterId}, this is ${clusterId}`;
      throw new ExitError(exitCode.error, text);
    }
    const wanted = this.#session.call.flags.int("revision");
    const revision = await fixedRevision(this.#session, kv, this.#prefix, wanted);
    return { revision, clusterId, prefix: this.#prefix, hasLeases: this.#hasLeases };
  }

  async #leaseOf(id: bigint): Promise<LeaseOfKey | null> {
    if (id === 0n) return null;
    let ttlSeconds = this.#ttlSeconds.get(id);
    if (ttlSeconds === undefined) {
      const area = new LeaseArea(this.#caller);
      const answer = await area.timeToLive(id, this.#session.short);
      ttlSeconds = answer.ttlSeconds < 0 ? 0 : answer.grantedTtlSeconds;
      if (this.#ttlSeconds.size >= leasesKnownMax) this.#ttlSeconds.clear();
      this.#ttlSeconds.set(id, ttlSeconds);
    }
    return ttlSeconds === 0 ? null : { id, ttlSeconds };
  }

  #add(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= pieceLetters) this.#flush();
  }

  #flush(): void {
    if (this.#pending !== "") this.#write(this.#pending);
    this.#pending = "";
  }
}
