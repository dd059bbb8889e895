/** Which endpoints the endpoint commands and `defrag` ask, one after the other. */
import { exitCode } from "../../cli/run.ts";
import { ClusterArea } from "../../client/cluster.ts";
import type { Session } from "../session.ts";
import { readEndpoints } from "../settings.ts";
import type { Settings } from "../settings.ts";

/** Those of the flag, or with `--cluster` those that the members advertise. */
export async function endpointsAsked(session: Session): Promise<readonly string[]> {
  const { flags } = session.call;
  if (!flags.bool("cluster")) return flags.strings("endpoints");
  const settings = { ...session.settings, endpoints: await readEndpoints(session.call) };
  const { members } = await session.run(
    ({ caller }) => new ClusterArea(caller).memberList(session.short),
    {
      code: exitCode.error,
      wrap: (reason) => `failed to fetch endpoints from etcd cluster member list: ${reason}`,
    },
    settings,
  );
  return members.flatMap(({ clientUrls }) => clientUrls);
}

export function settingsFor(session: Session, endpoint: string): Settings {
  return { ...session.settings, endpoints: [endpoint] };
}
