import {
  authenticateRequest,
  authenticateResponse,
  authStatusResponse,
  nameRequest,
  roleGrantRequest,
  roleResponse,
  roleRevokeRequest,
  rolesResponse,
  userAddRequest,
  userChangePasswordRequest,
  userRoleRequest,
  usersResponse,
  type AuthenticateResult,
  type AuthStatusResult,
  type PermissionType,
  type RoleResult,
  type RolesResult,
  type UsersResult,
} from "../codec/client/auth.ts";
import { headerOnly, nothing } from "../codec/client/schema.ts";
import type { Caller } from "./caller.ts";
import { intervalOf } from "./input.ts";
import { methodsOf } from "./method.ts";
import type { Bytes, CallOptions, Header, KeyRange } from "./types.ts";

const method = methodsOf("etcdserverpb.Auth");
const enable = method("AuthEnable", "write", nothing, headerOnly);
const disable = method("AuthDisable", "write", nothing, headerOnly);
const status = method("AuthStatus", "read", nothing, authStatusResponse);
const authenticate = method("Authenticate", "read", authenticateRequest, authenticateResponse);
const userAdd = method("UserAdd", "write", userAddRequest, headerOnly);
const userDelete = method("UserDelete", "write", nameRequest, headerOnly);
const userGet = method("UserGet", "read", nameRequest, rolesResponse);
const userList = method("UserList", "read", nothing, usersResponse);
const userPassword = method("UserChangePassword", "write", userChangePasswordRequest, headerOnly);
const userGrant = method("UserGrantRole", "write", userRoleRequest, headerOnly);
const userRevoke = method("UserRevokeRole", "write", userRoleRequest, headerOnly);
const roleAdd = method("RoleAdd", "write", nameRequest, headerOnly);
const roleDelete = method("RoleDelete", "write", nameRequest, headerOnly);
const roleGet = method("RoleGet", "read", nameRequest, roleResponse);
const roleList = method("RoleList", "read", nothing, rolesResponse);
const roleGrant = method("RoleGrantPermission", "write", roleGrantRequest, headerOnly);
const roleRevoke = method("RoleRevokePermission", "write", roleRevokeRequest, headerOnly);

interface Done {
  readonly header: Header;
}

/** Users, roles and what they may: `client.auth`. */
export class AuthArea {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Needs the user root with the role root. */
  async enable(options?: CallOptions): Promise<Done> {
    return this.#caller.call(enable, {}, options);
  }

  async disable(options?: CallOptions): Promise<Done> {
    return this.#caller.call(disable, {}, options);
  }

  async status(options?: CallOptions): Promise<AuthStatusResult> {
    return this.#caller.call(status, {}, options);
  }

  /** A token for a user. A client made with user and password fetches its own by itself. */
  async authenticate(
    name: string,
    password: string,
    options?: CallOptions,
  ): Promise<AuthenticateResult> {
    return this.#caller.call(authenticate, { name, password }, options);
  }

  /** Without a password the user can come by certificate (its common name) only. */
  async userAdd(
    name: string,
    password: string | { readonly hashed: string } | null,
    options?: CallOptions,
  ): Promise<Done> {
    const words = passwordOf(password ?? "");
    const request = { name, ...words, options: { hasNoPassword: password === null } };
    return this.#caller.call(userAdd, request, options);
  }

  async userDelete(name: string, options?: CallOptions): Promise<Done> {
    return this.#caller.call(userDelete, { name }, options);
  }

  /** The roles of a user. */
  async userGet(name: string, options?: CallOptions): Promise<RolesResult> {
    return this.#caller.call(userGet, { name }, options);
  }

  async userList(options?: CallOptions): Promise<UsersResult> {
    return this.#caller.call(userList, {}, options);
  }

  async userChangePassword(
    name: string,
    password: string | { readonly hashed: string },
    options?: CallOptions,
  ): Promise<Done> {
    return this.#caller.call(userPassword, { name, ...passwordOf(password) }, options);
  }

  async userGrantRole(user: string, role: string, options?: CallOptions): Promise<Done> {
    return this.#caller.call(userGrant, { user, role }, options);
  }

  async userRevokeRole(user: string, role: string, options?: CallOptions): Promise<Done> {
    return this.#caller.call(userRevoke, { user, role }, options);
  }

  async roleAdd(name: string, options?: CallOptions): Promise<Done> {
    return this.#caller.call(roleAdd, { name }, options);
  }

  async roleDelete(name: string, options?: CallOptions): Promise<Done> {
    return this.#caller.call(roleDelete, { name }, options);
  }

  /** What a role may. */
  async roleGet(name: string, options?: CallOptions): Promise<RoleResult> {
    return this.#caller.call(roleGet, { name }, options);
  }

  async roleList(options?: CallOptions): Promise<RolesResult> {
    return this.#caller.call(roleList, {}, options);
  }

  /** Replaces what the role had on exactly this key or range. */
  async roleGrantPermission(
    role: string,
    type: PermissionType,
    key: Bytes,
    options?: KeyRange & CallOptions,
  ): Promise<Done> {
    const permission = { type, ...intervalOf(key, options) };
    return this.#caller.call(roleGrant, { role, permission }, options);
  }

  /** Takes exactly this key or range from the role. */
  async roleRevokePermission(
    role: string,
    key: Bytes,
    options?: KeyRange & CallOptions,
  ): Promise<Done> {
    return this.#caller.call(roleRevoke, { role, ...intervalOf(key, options) }, options);
  }
}

function passwordOf(password: string | { readonly hashed: string }) {
  return typeof password === "string"
    ? { password, hashedPassword: "" }
    : { password: "", hashedPassword: password.hashed };
}
