import { ValueError } from "../../cli/go-value.ts";
import { MaintenanceArea } from "../../client/maintenance.ts";
import type { CtlCall } from "../commands/spec.ts";
import { parseUnsigned } from "../input/number.ts";
import { showMoveLeader } from "../print/members.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import { headerOnly } from "../wire/schemas.ts";
import { settingsFor } from "./endpoints-asked.ts";
import { badUse } from "./get.ts";

export async function runMoveLeader(call: CtlCall): Promise<void> {
  const target = parseTarget(call);
  const session = await openSession(call);
  const { endpoint, id } = await findLeader(session);
  const response = await session.ask(
    headerOnly,
    (caller) => new MaintenanceArea(caller).moveLeader(target, session.short),
    {},
    settingsFor(session, endpoint),
  );
  session.show(showMoveLeader(id, target, response));
}

function parseTarget({ args }: CtlCall): bigint {
  if (args.length !== 1) throw badUse("move-leader command needs 1 argument");
  try {
    return parseUnsigned(args[0]!, 16);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw badUse(error.message);
  }
}

/** The first of the endpoints that leads. @throws ExitError */
async function findLeader(session: Session): Promise<{ endpoint: string; id: bigint }> {
  const { endpoints } = session.settings;
  for (const endpoint of endpoints) {
    const status = await session.run(
      ({ caller }) => new MaintenanceArea(caller).status(session.short),
      {},
      settingsFor(session, endpoint),
    );
    if (status.header.memberId === status.leader) return { endpoint, id: status.leader };
  }
  throw badUse(`no leader endpoint given at [${endpoints.join(" ")}]`);
}
