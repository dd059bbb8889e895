import { MaintenanceArea } from "../../client/maintenance.ts";
import type { CtlCall } from "../commands/spec.ts";
import { showAlarms } from "../print/members.ts";
import { askAndShow, askCaller, openSession } from "../session.ts";
import type { AlarmResponse } from "../wire/schemas.ts";
import { alarmResponse } from "../wire/schemas.ts";
import { badUse } from "./get.ts";

export async function runAlarms(call: CtlCall): Promise<void> {
  if (call.args.length !== 0) throw badUse("alarm list command accepts no arguments");
  await askAndShow(call, alarmResponse, {
    send: (caller, { short }) => new MaintenanceArea(caller).alarmList(short),
    show: showAlarms,
  });
}

/** Lowers all alarms one by one, and prints those lowered; the answer has no header of its own. */
export async function runDisarm(call: CtlCall): Promise<void> {
  if (call.args.length !== 0) throw badUse("alarm disarm command accepts no arguments");
  const session = await openSession(call);
  const lowered = await session.run(async ({ caller }) => {
    const { short } = session;
    const { alarms } = await new MaintenanceArea(caller).alarmList(short);
    const all: AlarmResponse["alarms"] = [];
    for (const alarm of alarms) {
      const answer = await askCaller(caller, alarmResponse, (recorder) =>
        new MaintenanceArea(recorder).alarmDisarm(alarm, short),
      );
      all.push(...answer.alarms);
    }
    return all;
  });
  session.show(showAlarms({ header: null, alarms: lowered }));
}
