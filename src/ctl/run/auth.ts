import { AuthArea } from "../../client/auth.ts";
import { RootRoleMissingError } from "../../client/errors.ts";
import type { CtlCall } from "../commands/spec.ts";
import { showAuthStatus } from "../print/auth.ts";
import { askAndShow, openSession } from "../session.ts";
import { authStatusResponse } from "../wire/schemas.ts";
import { badUse } from "./get.ts";

/** The role that may do everything, and the user who has it. */
const root = "root";

/** Makes the role root and gives it to the user root, where that is missing. */
export async function runEnable(call: CtlCall): Promise<void> {
  if (call.args.length !== 0) throw badUse("auth enable command does not accept any arguments");
  const session = await openSession(call);
  const { short } = session;
  await session.run(async ({ caller }) => {
    const auth = new AuthArea(caller);
    try {
      await auth.enable(short);
    } catch (error) {
      if (!(error instanceof RootRoleMissingError)) throw error;
      await auth.roleAdd(root, short);
      await auth.userGrantRole(root, root, short);
      await auth.enable(short);
    }
  });
  session.print("Authentication Enabled\n");
}

export async function runDisable(call: CtlCall): Promise<void> {
  if (call.args.length !== 0) throw badUse("auth disable command does not accept any arguments");
  const session = await openSession(call);
  await session.run(({ caller }) => new AuthArea(caller).disable(session.short));
  session.print("Authentication Disabled\n");
}

export async function runAuthStatus(call: CtlCall): Promise<void> {
  if (call.args.length !== 0) throw badUse("auth status command does not accept any arguments");
  await askAndShow(call, authStatusResponse, {
    send: (caller, { short }) => new AuthArea(caller).status(short),
    show: showAuthStatus,
  });
}
