import type { FlagSet } from "../../cli/flag.ts";
import { ValueError } from "../../cli/go-value.ts";
import { toPutRequest } from "../../client/op.ts";
import type { PutOp } from "../../client/types.ts";
import type { CtlCall } from "../commands/spec.ts";
import { looseBytes } from "../input/loose-text.ts";
import { parseSigned } from "../input/number.ts";
import { showPut } from "../print/kv.ts";
import { openSession } from "../session.ts";
import { putMethod } from "../wire/kv-methods.ts";
import { badUse } from "./get.ts";

export async function runPut(call: CtlCall): Promise<void> {
  const { flags, args, context } = call;
  const { key, value, options } = await putOperation(flags, args, () => context.stdin.all());
  const session = await openSession(call);
  const request = toPutRequest(key, value, options);
  session.show(showPut(await session.send((c) => c.call(putMethod, request, session.short))));
}

const usage = "put command needs 1 argument and input from stdin or 2 arguments";

/** What is to be stored; also a line of a transaction. @throws ExitError */
export async function putOperation(
  flags: FlagSet,
  args: readonly string[],
  readValue: () => Promise<Uint8Array>,
): Promise<PutOp> {
  const [key, given] = args;
  if (key === undefined) throw badUse(usage);
  const ignoreValue = flags.bool("ignore-value");
  if (ignoreValue && given !== undefined) {
    throw badUse("put command needs only 1 argument when 'ignore-value' is set");
  }
  let value: Uint8Array = new Uint8Array(0);
  if (!ignoreValue) {
    value = given === undefined ? await readValue() : looseBytes(given);
    if (given === undefined && value.length === 0) throw badUse(usage);
  }
  const options = {
    lease: parseLease(flags.string("lease")),
    prevKv: flags.bool("prev-kv"),
    ignoreValue,
    ignoreLease: flags.bool("ignore-lease"),
  };
  return { kind: "put", key: looseBytes(key), value, options };
}

function parseLease(text: string): bigint {
  try {
    return parseSigned(text, 16);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw badUse(`bad lease ID (${error.message}), expecting ID in Hex`);
  }
}
