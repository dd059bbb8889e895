/**
 * How an instance of a service stands in etcd: key `<prefix>/<service>/<id>`, and a value as Go's
 * `naming/endpoints` writes it, so that Go's gRPC clients resolve what is registered here, and the
 * other way round.
 */
import { InvalidInputError } from "../input.ts";
import type { KeyValue } from "../types.ts";

export interface ServiceInstance {
  readonly service: string;
  /** Tells the instances of a service apart. */
  readonly id: string;
  /** Where it serves: host:port. */
  readonly address: string;
  /** What it was registered with; null if nothing. */
  readonly metadata: unknown;
}

/** Go's `Add`. */
const addOp = 0;

export function servicePrefix(prefix: string, service: string): string {
  const name = plainName(service, "service");
  return prefix === "" ? `${name}/` : `${prefix}/${name}/`;
}

/** A part of a key: with a slash in it, one service would hold the instances of another. */
export function plainName(name: string, what: string): string {
  if (name !== "" && !name.includes("/")) return name;
  throw new InvalidInputError(`The ${what} must be a name without "/", not "${name}"`);
}

export function encodeInstance({ address, metadata }: ServiceInstance): string {
  return JSON.stringify({ Op: addOp, Addr: address, Metadata: metadata ?? null });
}

/** Undefined if the value is none of an instance: somebody else's keys do not stop a resolver. */
export function decodeInstance(
  service: string,
  prefix: string,
  kv: KeyValue,
): ServiceInstance | undefined {
  let value: unknown;
  try {
    value = kv.json();
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { Addr: address, Metadata: metadata = null } = value as Record<string, unknown>;
  if (typeof address !== "string" || address === "") return undefined;
  return { service, id: kv.keyString().slice(prefix.length), address, metadata };
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const portMax = 65_535;

/** "host:port" or "[v6]:port", with or without a scheme before; undefined if it is neither. */
export function hostPortOf(address: string): HostPort | undefined {
  const rest = address.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "").replace(/\/.*$/s, "");
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(rest);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port > portMax ? undefined : { host, port };
}
