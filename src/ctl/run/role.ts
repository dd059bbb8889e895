import { utf8 } from "../../base/bytes.ts";
import { AuthArea } from "../../client/auth.ts";
import { prefixEnd } from "../../client/input.ts";
import type { CtlCall } from "../commands/spec.ts";
import { looseBytes, looseText } from "../input/loose-text.ts";
import { revokedText, showRole, showRoles } from "../print/auth.ts";
import { askAndShow } from "../session.ts";
import { roleGetResponse, roleListResponse } from "../wire/schemas.ts";
import { badUse } from "./get.ts";
import { change, oneArg } from "./user.ts";

export async function runRoleAdd(call: CtlCall): Promise<void> {
  const role = oneArg(call, "role add command requires role name as its argument");
  await change(call, `Role ${role} created`, (caller, options) =>
    new AuthArea(caller).roleAdd(role, options),
  );
}

export async function runRoleDelete(call: CtlCall): Promise<void> {
  const role = oneArg(call, "role delete command requires role name as its argument");
  await change(call, `Role ${role} deleted`, (caller, options) =>
    new AuthArea(caller).roleDelete(role, options),
  );
}

export async function runRoleGet(call: CtlCall): Promise<void> {
  const role = oneArg(call, "role get command requires role name as its argument");
  await askAndShow(call, roleGetResponse, {
    send: (caller, { patient }) => new AuthArea(caller).roleGet(role, patient),
    show: (response) => showRole(role, response),
  });
}

export async function runRoleList(call: CtlCall): Promise<void> {
  if (call.args.length !== 0) throw badUse("role list command requires no arguments");
  await askAndShow(call, roleListResponse, {
    send: (caller, { patient }) => new AuthArea(caller).roleList(patient),
    show: showRoles,
  });
}

const permissionTypes = { READ: "read", WRITE: "write", READWRITE: "readwrite" } as const;

export async function runGrantPermission(call: CtlCall): Promise<void> {
  const [role, typeName, ...keys] = call.args;
  if (role === undefined || typeName === undefined || keys.length === 0) {
    throw badUse(
      "role grant command requires role name, permission type, and key [endkey] as its argument",
    );
  }
  const name = typeName.toUpperCase();
  const type = Object.entries(permissionTypes).find(([known]) => known === name)?.[1];
  if (type === undefined) throw badUse(`invalid permission type: ${typeName}`);
  const { key, rangeEnd } = permissionRange(call, keys);
  await change(call, `Role ${role} updated`, (caller, options) =>
    new AuthArea(caller).roleGrantPermission(role, type, key, { rangeEnd, ...options }),
  );
}

export async function runRevokePermission(call: CtlCall): Promise<void> {
  const [role, ...keys] = call.args;
  if (role === undefined || keys.length === 0) {
    throw badUse(
      "role revoke-permission command requires role name and key [endkey] as its argument",
    );
  }
  const { key, rangeEnd } = permissionRange(call, keys);
  const done = revokedText(role, keys[0]!, looseText(rangeEnd));
  await change(call, done, (caller, options) =>
    new AuthArea(caller).roleRevokePermission(role, key, { rangeEnd, ...options }),
  );
}

/** A zero byte as the end of a range: no end. */
const openEnd = new Uint8Array(1);

/** @throws ExitError */
function permissionRange(
  { flags }: CtlCall,
  [key = "", end]: readonly string[],
): { key: Uint8Array; rangeEnd: Uint8Array } {
  const [isPrefix, isFromKey] = [flags.bool("prefix"), flags.bool("from-key")];
  const isAlone = end === undefined || key === "";
  if (isAlone && isPrefix && isFromKey) {
    throw badUse("--from-key and --prefix flags are mutually exclusive");
  }
  // The empty key is written as the lowest one there is.
  if (key === "") return { key: openEnd, rangeEnd: isPrefix || isFromKey ? openEnd : utf8("") };
  const bytes = looseBytes(key);
  if (end !== undefined) {
    const flag = isPrefix ? "--prefix" : "--from-key";
    if (isPrefix || isFromKey) throw badUse(`unexpected endkey argument with ${flag} flag`);
    return { key: bytes, rangeEnd: looseBytes(end) };
  }
  if (isPrefix) return { key: bytes, rangeEnd: prefixEnd(bytes) };
  return { key: bytes, rangeEnd: isFromKey ? openEnd : utf8("") };
}
