/** `utl hashkv`. */
import type { UtlCall } from "./context.ts";
import { openFree } from "./database.ts";
import { hashKv } from "./hash.ts";
import { printerOf } from "./printer.ts";
import { orExit } from "./or-exit.ts";

export async function hashKvCommand(call: UtlCall): Promise<void> {
  const print = printerOf(call);
  const found = await orExit(async () => {
    const timeoutMs = call.flags.durationMs("timeout");
    const database = await openFree(call.args[0]!, timeoutMs);
    try {
      return hashKv(database, call.flags.int("rev"));
    } finally {
      await database.close();
    }
  });
  call.output.out(
    print([
      { title: "hash", fields: "Hash", json: "hash", value: found.hash },
      {
        title: "hash revision",
        fields: "Hash revision",
        json: "hashRevision",
        value: found.hashRevision,
      },
      {
        title: "compact revision",
        fields: "Compact revision",
        json: "compactRevision",
        value: found.compactRevision,
      },
    ]),
  );
}
