/** Lines of the format `fields` that several results share. */
import { goQuote } from "../../cli/go-quote.ts";
import type { HeaderOnly, KeyValueMessage, ResponseHeader } from "../wire/schemas.ts";
import { headerOnly } from "../wire/schemas.ts";
import type { Page } from "./page.ts";
import type { Shown, Style } from "./shown.ts";
import { asMessage } from "./shown.ts";

/** An id as etcd writes it: hexadecimal without leading zeros. */
export function hexId(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}

/** A lease's id: sixteen hexadecimal digits, a minus before what is below zero. */
export function leaseHex(id: bigint): string {
  if (id < 0n) return `-${(-id).toString(16).padStart(15, "0")}`;
  return id.toString(16).padStart(16, "0");
}

export function headerFields(page: Page, header: ResponseHeader | null, style: Style): void {
  const id = (value: bigint): string => (style.isHex ? hexId(value) : String(value));
  page.line(`"ClusterID" : ${id(header?.cluster_id ?? 0n)}`);
  page.line(`"MemberID" : ${id(header?.member_id ?? 0n)}`);
  const revision = header?.revision ?? 0n;
  if (revision > 0n) page.line(`"Revision" : ${revision}`);
  page.line(`"RaftTerm" : ${header?.raft_term ?? 0n}`);
}

export function keyValueFields(
  page: Page,
  prefix: string,
  kv: KeyValueMessage,
  style: Style,
): void {
  page.line(`"${prefix}Key" : ${goQuote(kv.key)}`);
  page.line(`"${prefix}CreateRevision" : ${kv.create_revision}`);
  page.line(`"${prefix}ModRevision" : ${kv.mod_revision}`);
  page.line(`"${prefix}Version" : ${kv.version}`);
  page.line(`"${prefix}Value" : ${goQuote(kv.value)}`);
  page.line(`"${prefix}Lease" : ${leaseField(kv.lease, style)}`);
}

export function leaseField(id: bigint, style: Style): string {
  return style.isHex ? leaseHex(id) : String(id);
}

/** A change that answers nothing but a header: one line of text in `simple`. */
export function showDone(response: HeaderOnly, line: string): Shown {
  return {
    simple: (page) => page.line(line),
    fields: (page, style) => {
      headerFields(page, response.header, style);
    },
    ...asMessage(headerOnly, response),
  };
}
