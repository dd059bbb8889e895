import { setTimeout as delay } from "node:timers/promises";
import type { FlagSet } from "../../cli/flag.ts";
import { goQuote } from "../../cli/go-quote.ts";
import { toDeleteRequest } from "../../client/op.ts";
import type { DeleteOp } from "../../client/types.ts";
import type { CtlCall } from "../commands/spec.ts";
import { looseBytes } from "../input/loose-text.ts";
import { showDelete } from "../print/kv.ts";
import { openSession } from "../session.ts";
import { deleteMethod } from "../wire/kv-methods.ts";
import { badUse, checkExclusive, checkRange, rangeOptions } from "./get.ts";

/** Time to stop a command that names a range and may not have meant it. */
const secondThoughtsMs = 2_000;

export async function runDel(call: CtlCall): Promise<void> {
  const { key, options } = await deleteOperation(call.flags, call.args, call.output.err);
  const session = await openSession(call);
  const request = toDeleteRequest(key, options);
  session.show(showDelete(await session.send((c) => c.call(deleteMethod, request, session.short))));
}

/** What is to be removed; also a line of a transaction. @throws ExitError */
export async function deleteOperation(
  flags: FlagSet,
  args: readonly string[],
  warn: (text: string) => void,
): Promise<DeleteOp> {
  const [key, rangeEnd] = args;
  if (key === undefined || args.length > 2) {
    throw badUse("del command needs one argument as key and an optional argument as range_end");
  }
  const [isPrefix, isFromKey] = [flags.bool("prefix"), flags.bool("from-key")];
  checkExclusive(isPrefix, isFromKey, "--prefix", "--from-key");
  checkRange(rangeEnd, isPrefix || isFromKey);
  if (rangeEnd !== undefined && !flags.bool("range")) {
    const [from, to] = [goQuote(looseBytes(key)), goQuote(looseBytes(rangeEnd))];
    warn(
      `Warning: Keys between ${from} and ${to} will be deleted. Please interrupt the command ` +
        "within next 2 seconds to cancel. You can provide `--range` flag to avoid the delay.\n",
    );
    await delay(secondThoughtsMs);
  }
  const range = rangeOptions(rangeEnd, isPrefix, isFromKey);
  const options = { ...range, prevKv: flags.bool("prev-kv") };
  return { kind: "delete", key: looseBytes(key), options };
}
