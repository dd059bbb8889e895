import { ValueError } from "../../cli/go-value.ts";
import { ExitError, exitCode } from "../../cli/run.ts";
import { KvArea } from "../../client/kv.ts";
import type { CtlCall } from "../commands/spec.ts";
import { parseSigned } from "../input/number.ts";
import { openSession } from "../session.ts";
import { badUse } from "./get.ts";

export async function runCompaction(call: CtlCall): Promise<void> {
  const { args, flags } = call;
  if (args.length !== 1) throw badUse("compaction command needs 1 argument");
  const revision = parseRevision(args[0]!);
  const session = await openSession(call);
  const options = { physical: flags.bool("physical"), ...session.short };
  await session.run(({ caller }) => new KvArea(caller).compact(Number(revision), options));
  session.print(`compacted revision ${revision}\n`);
}

function parseRevision(text: string): bigint {
  try {
    return parseSigned(text, 10);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ExitError(exitCode.error, error.message);
  }
}
