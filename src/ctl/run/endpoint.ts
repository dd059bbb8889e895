import { exitCode, ExitError } from "../../cli/run.ts";
import type { Caller } from "../../client/caller.ts";
import { MaintenanceArea } from "../../client/maintenance.ts";
import type { CtlCall } from "../commands/spec.ts";
import { showHashKv, showStatus } from "../print/endpoints.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import type { Schema } from "../wire/message.ts";
import { hashKvResponse, statusResponse } from "../wire/schemas.ts";
import { endpointsAsked, settingsFor } from "./endpoints-asked.ts";

export async function runStatus(call: CtlCall): Promise<void> {
  const session = await openSession(call);
  const { list, error } = await askEach(session, statusResponse, "status", (caller) =>
    new MaintenanceArea(caller).status(session.short),
  );
  session.show(showStatus(list));
  // What went wrong was said for each endpoint.
  if (error !== undefined) throw new ExitError(exitCode.error, "");
}

export async function runHashKv(call: CtlCall): Promise<void> {
  const session = await openSession(call);
  const revision = call.flags.int("rev");
  const { list, error } = await askEach(session, hashKvResponse, "hash", (caller) =>
    new MaintenanceArea(caller).hashKv({ revision, ...session.short }),
  );
  session.show(showHashKv(list));
  if (error !== undefined) throw error;
}

interface Asked<T> {
  readonly list: readonly { readonly endpoint: string; readonly response: T }[];
  /** The last failure. */
  readonly error: ExitError | undefined;
}

/** Asks the endpoints one by one; those that fail are named on standard error. */
async function askEach<T>(
  session: Session,
  answer: Schema<T>,
  what: string,
  send: (caller: Caller) => Promise<unknown>,
): Promise<Asked<T>> {
  const list: { endpoint: string; response: T }[] = [];
  let error: ExitError | undefined;
  for (const endpoint of await endpointsAsked(session)) {
    const settings = settingsFor(session, endpoint);
    try {
      list.push({ endpoint, response: await session.ask(answer, send, {}, settings) });
    } catch (failure) {
      // Only what the endpoint answered to the question is one endpoint's own trouble.
      if (!(failure instanceof ExitError) || failure.code !== exitCode.error) throw failure;
      error = failure;
      const text = `Failed to get the ${what} of endpoint ${endpoint} (${failure.message})\n`;
      session.call.output.err(text);
    }
  }
  return { list, error };
}
