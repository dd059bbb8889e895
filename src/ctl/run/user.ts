import type { Caller } from "../../client/caller.ts";
import { AuthArea } from "../../client/auth.ts";
import type { CtlCall } from "../commands/spec.ts";
import type { CtlContext } from "../context.ts";
import { showRole, showUser, showUsers } from "../print/auth.ts";
import { showDone } from "../print/fields.ts";
import { askAndShow, askCaller, openSession } from "../session.ts";
import { headerOnly, roleGetResponse, userGetResponse, userListResponse } from "../wire/schemas.ts";
import { badUse } from "./get.ts";

export async function runUserAdd(call: CtlCall): Promise<void> {
  const { user, password } = await newUser(call);
  await change(call, `User ${user} created`, (caller, options) =>
    new AuthArea(caller).userAdd(user, password, options),
  );
}

/** `password` null: the user comes by certificate only. */
async function newUser(call: CtlCall): Promise<{ user: string; password: string | null }> {
  const { args, flags, context } = call;
  const [name] = args;
  if (name === undefined || args.length !== 1) {
    throw badUse("user add command requires user name as its argument");
  }
  if (flags.bool("no-password")) return { user: name, password: null };
  const given = flags.string("new-user-password");
  if (given !== "") return { user: name, password: given };
  const colon = name.indexOf(":");
  if (colon === -1) return { user: name, password: await readPassword(call, name, context) };
  if (colon === 0) throw badUse("empty user name is not allowed");
  return { user: name.slice(0, colon), password: name.slice(colon + 1) };
}

/** Asked for twice on a terminal; without `--interactive` the first word of input. */
async function readPassword(
  { flags }: CtlCall,
  name: string,
  { stdin }: CtlContext,
): Promise<string> {
  if (!flags.bool("interactive")) return (await stdin.line()).trim().split(/\s/, 1)[0]!;
  const password = await stdin.hiddenLine(`Password of ${name}: `);
  if (password === "") throw badUse("empty password");
  const again = await stdin.hiddenLine(`Type password of ${name} again for confirmation: `);
  if (password !== again) throw badUse("given passwords are different");
  return password;
}

export async function runUserDelete(call: CtlCall): Promise<void> {
  const user = oneArg(call, "user delete command requires user name as its argument");
  await change(call, `User ${user} deleted`, (caller, options) =>
    new AuthArea(caller).userDelete(user, options),
  );
}

export async function runUserGet(call: CtlCall): Promise<void> {
  const user = oneArg(call, "user get command requires user name as its argument");
  const session = await openSession(call);
  await session.run(async ({ caller }) => {
    const { patient } = session;
    const response = await askCaller(caller, userGetResponse, (recorder) =>
      new AuthArea(recorder).userGet(user, patient),
    );
    if (!call.flags.bool("detail")) {
      session.show(showUser(user, response));
      return;
    }
    session.print(`User: ${user}\n`);
    for (const role of response.roles) {
      session.print("\n");
      const details = await askCaller(caller, roleGetResponse, (recorder) =>
        new AuthArea(recorder).roleGet(role, patient),
      );
      session.show(showRole(role, details));
    }
  });
}

export async function runUserList(call: CtlCall): Promise<void> {
  if (call.args.length !== 0) throw badUse("user list command requires no arguments");
  await askAndShow(call, userListResponse, {
    send: (caller, { patient }) => new AuthArea(caller).userList(patient),
    show: showUsers,
  });
}

export async function runPasswd(call: CtlCall): Promise<void> {
  const user = oneArg(call, "user passwd command requires user name as its argument");
  const password = await readPassword(call, user, call.context);
  await change(call, "Password updated", (caller, options) =>
    new AuthArea(caller).userChangePassword(user, password, options),
  );
}

export async function runGrantRole(call: CtlCall): Promise<void> {
  const [user, role] = call.args;
  if (user === undefined || role === undefined || call.args.length !== 2) {
    throw badUse("user grant command requires user name and role name as its argument");
  }
  await change(call, `Role ${role} is granted to user ${user}`, (caller, options) =>
    new AuthArea(caller).userGrantRole(user, role, options),
  );
}

export async function runRevokeRole(call: CtlCall): Promise<void> {
  const [user, role] = call.args;
  if (user === undefined || role === undefined || call.args.length !== 2) {
    throw badUse("user revoke-role requires user name and role name as its argument");
  }
  await change(call, `Role ${role} is revoked from user ${user}`, (caller, options) =>
    new AuthArea(caller).userRevokeRole(user, role, options),
  );
}

/** @throws ExitError */
export function oneArg({ args }: CtlCall, usage: string): string {
  const [arg] = args;
  if (arg === undefined || args.length !== 1) throw badUse(usage);
  return arg;
}

/** A change that is answered by a header alone; `done` is what `simple` says of it. */
export function change(
  call: CtlCall,
  done: string,
  send: (caller: Caller, options: { readonly timeoutMs?: number }) => Promise<unknown>,
): Promise<void> {
  return askAndShow(call, headerOnly, {
    send: (caller, { patient }) => send(caller, patient),
    show: (response) => showDone(response, done),
  });
}
