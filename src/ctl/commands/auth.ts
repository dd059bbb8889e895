/** Commands on authentication, users and roles. */
import type { CtlSpec } from "./spec.ts";
import { flag, group, parent } from "./spec.ts";

const auths: readonly CtlSpec[] = [
  {
    use: "enable",
    short: "Enables authentication",
    run: async (call) => (await import("../run/auth.ts")).runEnable(call),
  },
  {
    use: "disable",
    short: "Disables authentication",
    run: async (call) => (await import("../run/auth.ts")).runDisable(call),
  },
  {
    use: "status",
    short: "Returns authentication status",
    run: async (call) => (await import("../run/auth.ts")).runAuthStatus(call),
  },
];

const interactive = (usage: string) => flag("bool", "interactive", usage, { value: "true" });

const users: readonly CtlSpec[] = [
  {
    use: "add <user name or user:password> [options]",
    short: "Adds a new user",
    flags: [
      interactive("Read password from stdin instead of interactive terminal"),
      flag("string", "new-user-password", "Supply password from the command line flag"),
      flag("bool", "no-password", "Create a user without password (CN based auth only)"),
    ],
    run: async (call) => (await import("../run/user.ts")).runUserAdd(call),
  },
  {
    use: "delete <user name>",
    short: "Deletes a user",
    run: async (call) => (await import("../run/user.ts")).runUserDelete(call),
  },
  {
    use: "get <user name> [options]",
    short: "Gets detailed information of a user",
    flags: [flag("bool", "detail", "Show permissions of roles granted to the user")],
    run: async (call) => (await import("../run/user.ts")).runUserGet(call),
  },
  {
    use: "list",
    short: "Lists all users",
    run: async (call) => (await import("../run/user.ts")).runUserList(call),
  },
  {
    use: "passwd <user name> [options]",
    short: "Changes password of user",
    flags: [interactive("If true, read password from stdin instead of interactive terminal")],
    run: async (call) => (await import("../run/user.ts")).runPasswd(call),
  },
  {
    use: "grant-role <user name> <role name>",
    short: "Grants a role to a user",
    run: async (call) => (await import("../run/user.ts")).runGrantRole(call),
  },
  {
    use: "revoke-role <user name> <role name>",
    short: "Revokes a role from a user",
    run: async (call) => (await import("../run/user.ts")).runRevokeRole(call),
  },
];

const range = (verb: string) => [
  flag("bool", "prefix", `${verb} a prefix permission`),
  flag(
    "bool",
    "from-key",
    `${verb} a permission of keys that are greater than or equal to the given key using byte compare`,
  ),
];

const roles: readonly CtlSpec[] = [
  {
    use: "add <role name>",
    short: "Adds a new role",
    run: async (call) => (await import("../run/role.ts")).runRoleAdd(call),
  },
  {
    use: "delete <role name>",
    short: "Deletes a role",
    run: async (call) => (await import("../run/role.ts")).runRoleDelete(call),
  },
  {
    use: "get <role name>",
    short: "Gets detailed information of a role",
    run: async (call) => (await import("../run/role.ts")).runRoleGet(call),
  },
  {
    use: "list",
    short: "Lists all roles",
    run: async (call) => (await import("../run/role.ts")).runRoleList(call),
  },
  {
    use: "grant-permission [options] <role name> <permission type> <key> [endkey]",
    short: "Grants a key to a role",
    flags: range("grant"),
    run: async (call) => (await import("../run/role.ts")).runGrantPermission(call),
  },
  {
    use: "revoke-permission <role name> <key> [endkey]",
    short: "Revokes a key from a role",
    flags: range("revoke"),
    run: async (call) => (await import("../run/role.ts")).runRevokePermission(call),
  },
];

export function authCommands(program: string): readonly CtlSpec[] {
  const title = group.auth;
  return [
    parent(
      { use: "auth <enable or disable>", group: title },
      program,
      auths,
      "Enable or disable authentication",
    ),
    parent({ use: "user <subcommand>", group: title }, program, users, "User related commands"),
    parent({ use: "role <subcommand>", group: title }, program, roles, "Role related commands"),
  ];
}
