import { formatDuration } from "../../cli/go-value.ts";
import { ExitError, exitCode } from "../../cli/run.ts";
import { MaintenanceArea } from "../../client/maintenance.ts";
import type { CtlCall } from "../commands/spec.ts";
import { openSession } from "../session.ts";
import { endpointsAsked, settingsFor } from "./endpoints-asked.ts";

export async function runDefrag(call: CtlCall): Promise<void> {
  const session = await openSession(call);
  let failures = 0;
  for (const endpoint of await endpointsAsked(session)) {
    const started = process.hrtime.bigint();
    const took = (): string => formatDuration(process.hrtime.bigint() - started);
    try {
      await session.run(
        ({ caller }) => new MaintenanceArea(caller).defragment(session.short),
        {},
        settingsFor(session, endpoint),
      );
      session.print(`Finished defragmenting etcd member[${endpoint}]. took ${took()}\n`);
    } catch (error) {
      if (!(error instanceof ExitError) || error.code !== exitCode.error) throw error;
      failures++;
      call.output.err(
        `Failed to defragment etcd member[${endpoint}]. took ${took()}. (${error.message})\n`,
      );
    }
  }
  if (failures > 0) throw new ExitError(exitCode.error, "");
}
