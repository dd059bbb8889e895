/** One of two sides that are compared: the keys of a cluster or of a file, at one revision. */
import { statSync } from "node:fs";
import type { Caller } from "../../client/caller.ts";
import { KvArea } from "../../client/kv.ts";
import type { Session } from "../session.ts";

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly version: number;
  /** 0n: none. */
  readonly lease: bigint;
}

export interface Side {
  /** As it was given. */
  readonly name: string;
  readonly revision: number;
  /** Ascending by key. */
  entries(): AsyncIterable<Entry>;
  close(): void;
}

export function isFile(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** What cannot be the address of a server was meant as a file. */
export function isEndpoint(name: string): boolean {
  return /^unixs?:|:\d+\/?$/.test(name);
}

/** A revision that is fixed from here on; 0 asks for the newest. */
export async function fixedRevision(
  session: Session,
  kv: KvArea,
  prefix: Uint8Array,
  wanted: number,
): Promise<number> {
  if (wanted !== 0) return wanted;
  const { header } = await kv.get(prefix, { ...session.short, prefix: true, countOnly: true });
  return header.revision;
}

export async function clusterSide(
  session: Session,
  caller: Caller,
  name: string,
  prefix: Uint8Array,
  wanted: number,
): Promise<Side> {
  const kv = new KvArea(caller);
  const revision = await fixedRevision(session, kv, prefix, wanted);
  return {
    name,
    revision,
    entries: () => kv.stream(prefix, { ...session.patient, prefix: true, revision }),
    close: () => undefined,
  };
}
