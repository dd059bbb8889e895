import type { RangeRequest } from "../../codec/messages.ts";
import type { FlagSet } from "../../cli/flag.ts";
import { goQuote } from "../../cli/go-quote.ts";
import { ExitError, exitCode } from "../../cli/run.ts";
import type { Caller, Method } from "../../client/caller.ts";
import { toRangeRequest } from "../../client/op.ts";
import type { GetOp, GetOptions, SortOrder, SortTarget } from "../../client/types.ts";
import type { CtlCall } from "../commands/spec.ts";
import { looseBytes } from "../input/loose-text.ts";
import { showGet } from "../print/kv.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import { rangeMethod } from "../wire/kv-methods.ts";
import { decodeMessage } from "../wire/message.ts";
import type { RangeResponse } from "../wire/schemas.ts";
import { rangeResponse, rangeStreamResponse } from "../wire/schemas.ts";

export async function runGet(call: CtlCall): Promise<void> {
  const { flags, args } = call;
  const { key, options } = getOperation(flags, args);
  const session = await openSession(call);
  const request = toRangeRequest(key, options);
  const response = flags.bool("stream")
    ? await streamed(session, request)
    : await session.send((caller) => caller.call(rangeMethod, request, session.short));
  const { format } = session.style;
  if (flags.bool("count-only") && format !== "fields") {
    throw badUse("--count-only is only for `--write-out=fields`");
  }
  if (flags.bool("print-value-only")) {
    if (format !== "simple") throw badUse("print-value-only is only for `--write-out=simple`");
    session.style = { ...session.style, isValueOnly: true };
  }
  session.show(showGet(response));
}

const rangeStream: Method<RangeRequest, RangeResponse> = {
  ...rangeMethod,
  path: "/etcdserverpb.KV/RangeStream",
  retry: "never",
  decode: (bytes) =>
    decodeMessage(rangeStreamResponse, bytes).range_response ?? rangeResponse.empty(),
};

/** The pieces of a large range put together. */
function streamed(session: Session, request: RangeRequest): Promise<RangeResponse> {
  const read = async (caller: Caller): Promise<RangeResponse> => {
    const { responses } = await import("../../client/responses.ts");
    const whole = rangeResponse.empty();
    for await (const piece of responses(caller, rangeStream, request, session.short)) {
      whole.header = piece.header ?? whole.header;
      whole.kvs.push(...piece.kvs);
      whole.more ||= piece.more;
      whole.count = piece.count === 0n ? whole.count : piece.count;
    }
    return whole;
  };
  return session.run(({ caller }) => read(caller));
}

const orders: Readonly<Record<string, SortOrder>> = {
  "": "none",
  ASCEND: "ascend",
  DESCEND: "descend",
};
const targets: Readonly<Record<string, SortTarget>> = {
  "": "key",
  CREATE: "create",
  KEY: "key",
  MODIFY: "mod",
  VALUE: "value",
  VERSION: "version",
};

/** What is to be read; also a line of a transaction. @throws ExitError */
export function getOperation(flags: FlagSet, args: readonly string[]): GetOp {
  const [key, rangeEnd] = args;
  if (key === undefined) {
    throw badUse("get command needs one argument as key and an optional argument as range_end");
  }
  const [isPrefix, isFromKey] = [flags.bool("prefix"), flags.bool("from-key")];
  checkExclusive(isPrefix, isFromKey, "--prefix", "--from-key");
  checkExclusive(flags.bool("keys-only"), flags.bool("count-only"), "--keys-only", "--count-only");
  const isSerializable = parseConsistency(flags.string("consistency"));
  checkRange(rangeEnd, isPrefix || isFromKey);
  const order = choose(orders, flags.string("order"), "bad sort order");
  const by = choose(targets, flags.string("sort-by"), "bad sort target");
  const options: GetOptions = {
    ...rangeOptions(rangeEnd, isPrefix, isFromKey),
    limit: flags.int("limit"),
    revision: Math.max(flags.int("rev"), 0),
    sort: { by, order },
    serializable: isSerializable,
    keysOnly: flags.bool("keys-only"),
    countOnly: flags.bool("count-only"),
    ...revisionBounds(flags),
  };
  return { kind: "get", key: looseBytes(key), options };
}

function choose<T>(choices: Readonly<Record<string, T>>, text: string, what: string): T {
  const name = text.toUpperCase();
  if (Object.hasOwn(choices, name)) return choices[name]!;
  throw new ExitError(exitCode.badFeature, `${what} ${text}`);
}

function revisionBounds(flags: FlagSet): GetOptions {
  const bound = (name: string): number => Math.max(flags.int(name), 0);
  const bounds = {
    minCreateRevision: bound("min-create-rev"),
    maxCreateRevision: bound("max-create-rev"),
    minModRevision: bound("min-mod-rev"),
    maxModRevision: bound("max-mod-rev"),
  };
  checkBounds("Create", bounds.minCreateRevision, bounds.maxCreateRevision);
  checkBounds("Mod", bounds.minModRevision, bounds.maxModRevision);
  return bounds;
}

function checkBounds(what: string, min: number, max: number): void {
  if (max === 0 || min <= max) return;
  const text = `getMin${what}Rev(=${min}) > getMax${what}Rev(=${max})`;
  throw new ExitError(exitCode.badFeature, text);
}

/** Whether to read serializable. `shown`: the value that the refusal names. @throws ExitError */
export function parseConsistency(text: string, shown = text): boolean {
  if (text === "s") return true;
  if (text === "l") return false;
  throw new ExitError(exitCode.badFeature, `unknown consistency flag ${goQuote(shown)}`);
}

/** Two flags of which one may be given. @throws ExitError */
export function checkExclusive(a: boolean, b: boolean, aName: string, bName: string): void {
  if (!a || !b) return;
  throw badUse(`\`${aName}\` and \`${bName}\` cannot be set at the same time, choose one`);
}

/** @throws ExitError for a range given twice. */
export function checkRange(rangeEnd: string | undefined, isByFlag: boolean): void {
  if (rangeEnd === undefined || !isByFlag) return;
  throw badUse(
    "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
  );
}

export function rangeOptions(
  rangeEnd: string | undefined,
  isPrefix: boolean,
  isFromKey: boolean,
): Pick<GetOptions, "prefix" | "fromKey" | "rangeEnd"> {
  if (isPrefix) return { prefix: true };
  if (isFromKey) return { fromKey: true };
  return rangeEnd === undefined ? {} : { rangeEnd: looseBytes(rangeEnd) };
}

export function badUse(message: string): ExitError {
  return new ExitError(exitCode.badArgs, message);
}
