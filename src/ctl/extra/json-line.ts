/**
 * The lines of an export. The first says where it is from, the last that it is whole; between them
 * one key each, in order. A line stands for itself, so that lines may be taken out or written by
 * hand: `{"key":"a","value":"b"}` is enough to import.
 */
import { fromBinaryString, utf8 } from "../../base/bytes.ts";
import { toGoJson } from "../print/go-json.ts";
import { bytesJson } from "../run/event-json.ts";

/** The first line. */
export interface ExportHead {
  readonly revision: number;
  /** In hexadecimal. */
  readonly clusterId: string;
  readonly prefix: Uint8Array;
  readonly hasLeases: boolean;
}

export interface ExportedKey {
  readonly kind: "key";
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: LeaseOfKey | null;
}

export interface LeaseOfKey {
  readonly id: bigint;
  /** What it was granted for, in seconds. */
  readonly ttlSeconds: number;
}

export type ExportLine =
  | ExportedKey
  | { readonly kind: "head"; readonly head: ExportHead }
  | { readonly kind: "end"; readonly keys: number };

/** A line that says nothing that can be imported. */
export class LineError extends Error {
  override readonly name = "LineError";
}

const formatVersion = 1;

export function headLine({ revision, clusterId, prefix, hasLeases }: ExportHead): string {
  const json = { quorate_export: formatVersion, cluster_id: clusterId, revision };
  return `${toGoJson({ ...json, ...bytesJson("prefix", prefix), leases: hasLeases })}\n`;
}

export function endLine(keys: number): string {
  return `${toGoJson({ quorate_export_end: true, keys })}\n`;
}

/** What KeyValue of the client has. */
interface KeyToWrite {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

export function keyLine(kv: KeyToWrite, lease: LeaseOfKey | null): string {
  const json = {
    ...bytesJson("key", kv.key),
    ...bytesJson("value", kv.value),
    create_revision: kv.createRevision,
    mod_revision: kv.modRevision,
    version: kv.version,
    lease: lease === null ? undefined : lease.id.toString(16).padStart(16, "0"),
    lease_ttl: lease?.ttlSeconds,
  };
  return `${toGoJson(json)}\n`;
}

/** @throws LineError */
export function parseLine(text: string): ExportLine {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new LineError("it is no JSON", { cause: error });
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new LineError("it is no JSON object");
  }
  const fields = json as Readonly<Record<string, unknown>>;
  if ("quorate_export" in fields) return { kind: "head", head: parseHead(fields) };
  if ("quorate_export_end" in fields) return { kind: "end", keys: wholeNumber(fields, "keys") };
  const key = parseBytes(fields, "key");
  if (key.length === 0) throw new LineError("the key is empty");
  return { kind: "key", key, value: parseBytes(fields, "value"), lease: parseLease(fields) };
}

function parseHead(fields: Readonly<Record<string, unknown>>): ExportHead {
  const { quorate_export: version, cluster_id: clusterId, leases } = fields;
  if (version !== formatVersion) throw new LineError("an export of another version");
  if (typeof clusterId !== "string") throw new LineError("cluster_id is missing");
  return {
    revision: wholeNumber(fields, "revision"),
    clusterId,
    prefix: parseBytes(fields, "prefix"),
    hasLeases: leases === true,
  };
}

function wholeNumber(fields: Readonly<Record<string, unknown>>, name: string): number {
  const value = fields[name];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new LineError(`${name} is no whole number`);
}

function parseBytes(fields: Readonly<Record<string, unknown>>, name: string): Uint8Array {
  const [text, base64] = [fields[name], fields[`${name}_base64`]];
  if ((text === undefined) === (base64 === undefined)) {
    throw new LineError(`it needs ${name} or ${name}_base64`);
  }
  if (typeof (text ?? base64) !== "string") throw new LineError(`${name} is no text`);
  if (typeof text === "string") return utf8(text);
  try {
    return fromBinaryString(atob(base64 as string));
  } catch (error) {
    throw new LineError(`${name}_base64 is no base64`, { cause: error });
  }
}

function parseLease(fields: Readonly<Record<string, unknown>>): LeaseOfKey | null {
  const { lease } = fields;
  if (lease === undefined) return null;
  if (typeof lease !== "string" || !/^[0-9a-f]{1,16}$/.test(lease)) {
    throw new LineError("lease is no id in hexadecimal");
  }
  const ttlSeconds = fields["lease_ttl"] === undefined ? 0 : wholeNumber(fields, "lease_ttl");
  return { id: BigInt.asIntN(64, BigInt(`0x${lease}`)), ttlSeconds };
}
