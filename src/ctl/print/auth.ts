/** Results of the auth, user and role commands. */
import { goQuote } from "../../cli/go-quote.ts";
import { prefixEnd } from "../../client/input.ts";
import type {
  AuthStatusResponse,
  PermissionMessage,
  RoleGetResponse,
  RoleListResponse,
  UserGetResponse,
  UserListResponse,
} from "../wire/schemas.ts";
import {
  authStatusResponse,
  roleGetResponse,
  roleListResponse,
  userGetResponse,
  userListResponse,
} from "../wire/schemas.ts";
import { headerFields } from "./fields.ts";
import type { Page } from "./page.ts";
import type { Shown } from "./shown.ts";
import { asMessage } from "./shown.ts";

export function showAuthStatus(response: AuthStatusResponse): Shown {
  return {
    simple: (page) => {
      page.line(`Authentication Status: ${response.enabled}`);
      page.line(`AuthRevision: ${response.authRevision}`);
    },
    ...asMessage(authStatusResponse, response),
  };
}

export function showUser(name: string, response: UserGetResponse): Shown {
  return {
    simple: (page) => {
      page.line(`User: ${name}`);
      page.line(["Roles:", ...response.roles].join(" "));
    },
    ...asMessage(userGetResponse, response),
  };
}

export function showUsers(response: UserListResponse): Shown {
  return {
    simple: (page) => {
      for (const user of response.users) page.line(user);
    },
    ...asMessage(userListResponse, response),
  };
}

export function showRoles(response: RoleListResponse): Shown {
  return {
    simple: (page) => {
      for (const role of response.roles) page.line(role);
    },
    fields: (page, style) => {
      headerFields(page, response.header, style);
      page.line([`"Roles" :`, ...response.roles.map((role) => goQuote(role))].join(" "));
    },
    ...asMessage(roleListResponse, response),
  };
}

const permissionType = { read: 0, write: 1, readWrite: 2 } as const;
const permissionNames = ["READ", "WRITE", "READWRITE"];
/** May do everything, whatever permissions it has. */
const rootRole = "root";
const openEnd = "\0";

export function showRole(name: string, response: RoleGetResponse): Shown {
  const { perm } = response;
  const { read, write, readWrite } = permissionType;
  return {
    simple: (page) => {
      page.line(`Role ${name}`);
      for (const [title, type] of [["KV Read:", read] as const, ["KV Write:", write] as const]) {
        page.line(title);
        if (name === rootRole && perm.length === 0) page.line("\t[, <open ended>");
        const holding = perm.filter(({ permType }) => permType === type || permType === readWrite);
        for (const permission of holding) permissionLine(page, permission);
      }
    },
    fields: (page, style) => {
      headerFields(page, response.header, style);
      for (const { permType, key, range_end } of perm) {
        page.line(`"PermType" :  ${permissionNames[permType] ?? permType}`);
        page.line(`"Key" : ${goQuote(key)}`);
        page.line(`"RangeEnd" : ${goQuote(range_end)}`);
      }
    },
    ...asMessage(roleGetResponse, response),
  };
}

function permissionLine(page: Page, { key, range_end }: PermissionMessage): void {
  if (range_end.length === 0) {
    page.line("\t", key);
    return;
  }
  page.add("\t[", key, ", ");
  if (latin1(range_end) === openEnd) page.add("<open ended>");
  else page.add(range_end, ")");
  if (key.length > 0 && latin1(prefixEnd(key)) === latin1(range_end)) {
    page.add(" (prefix ", key, ")");
  }
  page.line();
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** `end` as text: empty is one key, a zero byte no end. */
export function revokedText(role: string, key: string, end: string): string {
  if (end === "") return `Permission of key ${key} is revoked from role ${role}`;
  if (end === openEnd) {
    return `Permission of range [${key}, <open ended> is revoked from role ${role}`;
  }
  return `Permission of range [${key}, ${end}) is revoked from role ${role}`;
}
