import { formatDuration } from "../../cli/go-value.ts";
import { ExitError, exitCode } from "../../cli/run.ts";
import type { Caller } from "../../client/caller.ts";
import type { Connection } from "../../client/connection.ts";
import { PermissionDeniedError } from "../../client/errors.ts";
import { KvArea } from "../../client/kv.ts";
import { MaintenanceArea } from "../../client/maintenance.ts";
import type { CtlCall } from "../commands/spec.ts";
import { connect } from "../connect.ts";
import { goErrorText } from "../go-error.ts";
import type { Health } from "../print/endpoints.ts";
import { showHealth } from "../print/endpoints.ts";
import { alarmName } from "../print/members.ts";
import type { Session } from "../session.ts";
import { askCaller, openSession } from "../session.ts";
import { clientOptions } from "../settings.ts";
import { alarmResponse } from "../wire/schemas.ts";
import { endpointsAsked, settingsFor } from "./endpoints-asked.ts";

export async function runHealth(call: CtlCall): Promise<void> {
  const session = await openSession(call);
  const endpoints = await endpointsAsked(session);
  // Before any is asked: certificates that cannot be read end the command.
  const options = endpoints.map((endpoint) => clientOptions(settingsFor(session, endpoint)));
  const list = await Promise.all(
    endpoints.map(async (endpoint, i): Promise<Health> => {
      const connection = connect(options[i]!);
      try {
        return { endpoint, ...(await checkHealth(session, connection)) };
      } finally {
        connection.close();
      }
    }),
  );
  session.show(showHealth(list));
  const unhealthy = list.filter(({ error }) => error !== "");
  if (unhealthy.length === 0) return;
  if (session.style.format === "simple") {
    for (const { endpoint, error } of unhealthy) {
      call.output.err(`${endpoint} is unhealthy: failed to commit proposal: ${error}\n`);
    }
  }
  throw new ExitError(exitCode.error, "unhealthy cluster");
}

type Verdict = Omit<Health, "endpoint">;

async function checkHealth(session: Session, connection: Connection): Promise<Verdict> {
  const { caller } = connection;
  try {
    if (session.settings.login.username !== undefined) await connection.signIn();
  } catch (error) {
    return { isHealthy: false, took: "", error: goErrorText(error) };
  }
  const started = process.hrtime.bigint();
  const failure = await failureOf(new KvArea(caller).get("health", session.short));
  const took = formatDuration(process.hrtime.bigint() - started);
  // Denied: the answer went through consensus all the same.
  if (failure !== undefined && !(failure instanceof PermissionDeniedError)) {
    session.warnOf(failure);
    return { isHealthy: false, took, error: goErrorText(failure) };
  }
  const error = await alarmsRaised(session, caller);
  return { isHealthy: error === "", took, error };
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return error;
  }
}

async function alarmsRaised(session: Session, caller: Caller): Promise<string> {
  try {
    const { alarms } = await askCaller(caller, alarmResponse, (recorder) =>
      new MaintenanceArea(recorder).alarmList(session.short),
    );
    if (alarms.length === 0) return "";
    return `Active Alarm(s): ${alarms.map(({ alarm }) => `${knownAlarm(alarm)} `).join("")}`;
  } catch {
    return "Unable to fetch the alarm list";
  }
}

function knownAlarm(alarm: number): string {
  const name = alarmName(alarm);
  return name === "NOSPACE" || name === "CORRUPT" ? name : "UNKNOWN";
}
