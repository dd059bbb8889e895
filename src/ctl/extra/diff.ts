/**
 * `ctl diff`: two ordered sides, read once and side by side.
 *
 * DF1  Memory: one entry of each side, and what the sides themselves hold.
 * DF2  The exit code tells equal (0), different (1) and unknown (2) apart.
 */
import { compare, equal } from "../../base/bytes.ts";
import { goQuote } from "../../cli/go-quote.ts";
import { ExitError, exitCode } from "../../cli/run.ts";
import { errorText } from "../../cli/system-error.ts";
import type { CtlCall } from "../commands/spec.ts";
import { looseBytes } from "../input/loose-text.ts";
import type { GoJson } from "../print/go-json.ts";
import { toGoJson } from "../print/go-json.ts";
import { bytesJson } from "../run/event-json.ts";
import { badUse } from "../run/get.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import type { Entry, Side } from "./side.ts";
import { clusterSide, isEndpoint, isFile } from "./side.ts";
import { openSnapshot } from "./snapshot-side.ts";

const differs = 1;
/** DF2 */
const unknown = { code: 2 };

/** What a key has on both sides, but not the same. */
type Part = "value" | "version" | "lease";

/** A key that is not on both sides alike: null where it is not. */
export interface Difference {
  readonly first: Entry | null;
  readonly second: Entry | null;
  readonly parts: readonly Part[];
}

export async function runDiff(call: CtlCall): Promise<void> {
  const [first, second] = call.args;
  if (first === undefined || second === undefined || call.args.length !== 2) {
    throw badUse("diff takes two arguments, each an endpoint or a snapshot file");
  }
  const session = await openSession(call);
  const { format } = session.style;
  if (format !== "simple" && format !== "json") {
    throw new ExitError(exitCode.badFeature, `${format} not supported as output format`);
  }
  const count = await withSide(session, first, (a) =>
    withSide(session, second, (b) => printDifferences(session, a, b)),
  );
  if (count > 0) throw new ExitError(differs, "");
}

/** @throws ExitError */
async function withSide<T>(
  session: Session,
  name: string,
  use: (side: Side) => Promise<T>,
): Promise<T> {
  const { flags } = session.call;
  const prefix = looseBytes(flags.string("prefix"));
  const revision = flags.int("revision");
  const ending = { ...unknown, wrap: (reason: string) => `${name}: ${reason}` };
  const fail = (error: unknown): ExitError => session.failure(error, ending);
  if (isFile(name)) {
    const side = readFile(name, () => openSnapshot(name, prefix, revision));
    try {
      return await use(guarded(side, fail));
    } finally {
      side.close();
    }
  }
  if (!isEndpoint(name)) {
    throw new ExitError(unknown.code, `${goQuote(name)} is no file, and no endpoint either`);
  }
  return session.run(
    async ({ caller }) => {
      return use(guarded(await clusterSide(session, caller, name, prefix, revision), fail));
    },
    ending,
    { ...session.settings, endpoints: name.split(",") },
  );
}

/** A side whose failures name it, wherever they come up. */
function guarded(side: Side, fail: (error: unknown) => ExitError): Side {
  async function* entries(): AsyncGenerator<Entry, void, undefined> {
    try {
      yield* side.entries();
    } catch (error) {
      throw fail(error);
    }
  }
  return { ...side, entries };
}

function readFile(name: string, read: () => Side): Side {
  try {
    return read();
  } catch (error) {
    throw new ExitError(unknown.code, `${name}: ${errorText(error)}`, { cause: error });
  }
}

/** Returns how many keys differ. */
async function printDifferences(session: Session, a: Side, b: Side): Promise<number> {
  const isJson = session.style.format === "json";
  if (!isJson) {
    session.print(`--- ${a.name} revision ${a.revision}\n+++ ${b.name} revision ${b.revision}\n`);
  }
  const counts = { first: 0, second: 0, changed: 0 };
  const isOnlyValues = session.call.flags.bool("only-values");
  for await (const difference of differences(a.entries(), b.entries(), isOnlyValues)) {
    if (difference.second === null) counts.first++;
    else if (difference.first === null) counts.second++;
    else counts.changed++;
    session.print(isJson ? `${toGoJson(asJson(difference))}\n` : asText(difference));
  }
  const total = counts.first + counts.second + counts.changed;
  if (isJson) return total;
  session.print(
    total === 0
      ? "no difference\n"
      : `${counts.first} only in the first, ${counts.second} only in the second, ` +
          `${counts.changed} changed\n`,
  );
  return total;
}

/** Both sides ascend by key. */
export async function* differences(
  first: AsyncIterable<Entry>,
  second: AsyncIterable<Entry>,
  isOnlyValues: boolean,
): AsyncGenerator<Difference, void, undefined> {
  const [as, bs] = [first[Symbol.asyncIterator](), second[Symbol.asyncIterator]()];
  try {
    let [a, b] = [await nextOf(as), await nextOf(bs)]; // DF1
    while (a !== null || b !== null) {
      const order = a === null ? 1 : b === null ? -1 : compare(a.key, b.key);
      if (order < 0) {
        yield { first: a, second: null, parts: [] };
        a = await nextOf(as);
      } else if (order > 0) {
        yield { first: null, second: b, parts: [] };
        b = await nextOf(bs);
      } else {
        const parts = changedParts(a!, b!, isOnlyValues);
        if (parts.length > 0) yield { first: a, second: b, parts };
        [a, b] = [await nextOf(as), await nextOf(bs)];
      }
    }
  } finally {
    await as.return?.();
    await bs.return?.();
  }
}

async function nextOf(entries: AsyncIterator<Entry>): Promise<Entry | null> {
  const next = await entries.next();
  return next.done === true ? null : next.value;
}

function changedParts(a: Entry, b: Entry, isOnlyValues: boolean): Part[] {
  const parts: Part[] = [];
  if (!equal(a.value, b.value)) parts.push("value");
  if (!isOnlyValues && a.version !== b.version) parts.push("version");
  if (!isOnlyValues && a.lease !== b.lease) parts.push("lease");
  return parts;
}

function asText({ first, second, parts }: Difference): string {
  if (second === null) return `- ${goQuote(first!.key)}\n`;
  if (first === null) return `+ ${goQuote(second.key)}\n`;
  const shown = parts.map((part) => {
    switch (part) {
      case "value":
        return `value (${first.value.length} bytes, ${second.value.length} bytes)`;
      case "version":
        return `version (${first.version}, ${second.version})`;
      case "lease":
        return `lease (${leaseText(first)}, ${leaseText(second)})`;
    }
  });
  return `! ${goQuote(first.key)} ${shown.join(" ")}\n`;
}

function leaseText({ lease }: Entry): string {
  return lease === 0n ? "none" : lease.toString(16).padStart(16, "0");
}

function asJson({ first, second, parts }: Difference): GoJson {
  const key = bytesJson("key", (first ?? second)!.key);
  return { ...key, first: sideJson(first), second: sideJson(second), differs: [...parts] };
}

function sideJson(entry: Entry | null): GoJson {
  if (entry === null) return null;
  const lease = entry.lease === 0n ? undefined : leaseText(entry);
  return { ...bytesJson("value", entry.value), version: entry.version, lease };
}
