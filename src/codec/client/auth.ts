/** Messages of the Auth service. */
import type { Header } from "./results.ts";
import {
  bool,
  bytes,
  enumeration,
  header,
  list,
  Message,
  optional,
  string,
  strings,
  uint64,
  type Unnamed,
} from "./schema.ts";

export type PermissionType = "read" | "write" | "readwrite";

/** What a role may do, and on which keys. */
export interface Permission {
  readonly type: PermissionType | Unnamed;
  readonly key: Uint8Array;
  /** Empty: the key alone; one zero byte: no end. */
  readonly rangeEnd: Uint8Array;
}

export interface AuthStatusResult {
  readonly header: Header;
  readonly isEnabled: boolean;
  readonly authRevision: number;
}

export interface AuthenticateRequest {
  readonly name: string;
  readonly password: string;
}

export interface AuthenticateResult {
  readonly header: Header;
  readonly token: string;
}

export interface UserAddRequest extends AuthenticateRequest {
  readonly options: { readonly hasNoPassword: boolean } | null;
  readonly hashedPassword: string;
}

export interface UserChangePasswordRequest extends AuthenticateRequest {
  readonly hashedPassword: string;
}

/** Grants name the user, revokes do so under another name at the same place. */
export interface UserRoleRequest {
  readonly user: string;
  readonly role: string;
}

export interface RoleGrantRequest {
  readonly role: string;
  readonly permission: Permission | null;
}

export interface RoleRevokeRequest {
  readonly role: string;
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

export interface RolesResult {
  readonly header: Header;
  readonly roles: readonly string[];
}

export interface UsersResult {
  readonly header: Header;
  readonly users: readonly string[];
}

export interface RoleResult {
  readonly header: Header;
  readonly permissions: readonly Permission[];
}

const permission = new Message<Permission>({
  type: enumeration<PermissionType>(1, ["read", "write", "readwrite"]),
  key: bytes(2),
  rangeEnd: bytes(3),
});

export const authStatusResponse = new Message<AuthStatusResult>({
  header,
  isEnabled: bool(2),
  authRevision: uint64(3),
});

export const authenticateRequest = new Message<AuthenticateRequest>({
  name: string(1),
  password: string(2),
});

export const authenticateResponse = new Message<AuthenticateResult>({ header, token: string(2) });

export const userAddRequest = new Message<UserAddRequest>({
  name: string(1),
  password: string(2),
  options: optional(
    3,
    new Message<{ readonly hasNoPassword: boolean }>({ hasNoPassword: bool(1) }),
  ),
  hashedPassword: string(4),
});

export const userChangePasswordRequest = new Message<UserChangePasswordRequest>({
  name: string(1),
  password: string(2),
  hashedPassword: string(3),
});

/** Of a user or a role: get and delete. */
export const nameRequest = new Message<{ readonly name: string }>({ name: string(1) });

export const userRoleRequest = new Message<UserRoleRequest>({ user: string(1), role: string(2) });

export const roleGrantRequest = new Message<RoleGrantRequest>({
  role: string(1),
  permission: optional(2, permission),
});

export const roleRevokeRequest = new Message<RoleRevokeRequest>({
  role: string(1),
  key: bytes(2),
  rangeEnd: bytes(3),
});

/** The roles of a user, or all of them. */
export const rolesResponse = new Message<RolesResult>({ header, roles: strings(2) });

export const usersResponse = new Message<UsersResult>({ header, users: strings(2) });

export const roleResponse = new Message<RoleResult>({ header, permissions: list(2, permission) });
