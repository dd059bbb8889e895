/** membershippb entries: what members publish of themselves, and the agreed cluster version. */

import { utf8 } from "../base/bytes.ts";
import { bigField } from "./kv.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

export interface MemberAttributes {
  readonly memberId: bigint;
  readonly name: string;
  readonly clientUrls: readonly string[];
}

export function encodeClusterMemberAttrSet(attributes: MemberAttributes): Uint8Array {
  const out = new Writer(256);
  bigField(out, 0x08, attributes.memberId);
  const mark = out.beginNested(0x12);
  if (attributes.name !== "") out.bytesField(0x0a, utf8(attributes.name));
  for (const url of attributes.clientUrls) out.bytesField(0x12, utf8(url));
  out.endNested(mark);
  return out.copy();
}

export function decodeClusterMemberAttrSet(bytes: Uint8Array): MemberAttributes {
  const r = new Reader(bytes);
  let memberId = 0n;
  const attributes = { name: "", clientUrls: [] as string[] };
  while (r.next()) {
    if (r.tag === 0x08) memberId = r.bigUint64();
    else if (r.tag === 0x12) mergeAttributes(attributes, r.presentBytes());
    else r.skip();
  }
  return { memberId, ...attributes };
}

function mergeAttributes(
  attributes: { name: string; clientUrls: string[] },
  bytes: Uint8Array,
): void {
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 0x0a) attributes.name = r.string();
    else if (r.tag === 0x12) attributes.clientUrls.push(r.string());
    else r.skip();
  }
}

export function encodeClusterVersionSet(version: string): Uint8Array {
  const out = new Writer(32);
  out.bytesField(0x0a, utf8(version));
  return out.copy();
}

export function decodeClusterVersionSet(bytes: Uint8Array): string {
  const r = new Reader(bytes);
  let version = "";
  while (r.next()) {
    if (r.tag === 0x0a) version = r.string();
    else r.skip();
  }
  return version;
}

/** membershippb.DowngradeInfoSetRequest. */
export interface DowngradeInfoSet {
  readonly isEnabled: boolean;
  readonly version: string;
}

export function decodeDowngradeInfoSet(bytes: Uint8Array): DowngradeInfoSet {
  const r = new Reader(bytes);
  let isEnabled = false;
  let version = "";
  while (r.next()) {
    if (r.tag === 0x08) isEnabled = r.bool();
    else if (r.tag === 0x12) version = r.string();
    else r.skip();
  }
  return { isEnabled, version };
}
