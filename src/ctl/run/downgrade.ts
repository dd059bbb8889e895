import { MaintenanceArea } from "../../client/maintenance.ts";
import type { CtlCall } from "../commands/spec.ts";
import { showDowngrade } from "../print/members.ts";
import { askAndShow } from "../session.ts";
import { downgradeResponse } from "../wire/schemas.ts";
import { badUse } from "./get.ts";

type Action = "validate" | "enable" | "cancel";

export const runValidate = (call: CtlCall): Promise<void> => run(call, "validate", target(call));
export const runEnable = (call: CtlCall): Promise<void> => run(call, "enable", target(call));
export const runCancel = (call: CtlCall): Promise<void> => run(call, "cancel", "");

function target({ args }: CtlCall): string {
  const [version] = args;
  if (version === undefined) throw badUse("TARGET_VERSION not provided");
  if (args.length > 1) throw badUse("too many arguments");
  if (version === "") throw badUse("target version not provided");
  return version;
}

async function run(call: CtlCall, action: Action, version: string): Promise<void> {
  await askAndShow(call, downgradeResponse, {
    send: (caller, { short }) => new MaintenanceArea(caller).downgrade(action, version, short),
    show: (response) => showDowngrade(action, response),
  });
}
