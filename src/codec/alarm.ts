/** AlarmMember (a row's key, and part of answers) and AlarmRequest. */

import { bigField, int64Field } from "./kv.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

export interface AlarmMember {
  readonly memberId: bigint;
  /** 0 none, 1 NOSPACE, 2 CORRUPT; others as sent. */
  readonly alarm: number;
}

export interface AlarmRequest {
  /** 0 get, 1 activate, 2 deactivate; others as sent. */
  readonly action: number;
  readonly memberId: bigint;
  readonly alarm: number;
}

export function writeAlarmMember(out: Writer, member: AlarmMember): void {
  bigField(out, 0x08, member.memberId);
  int64Field(out, 0x10, member.alarm);
}

export function encodeAlarmMember(member: AlarmMember): Uint8Array {
  const out = new Writer(32);
  writeAlarmMember(out, member);
  return out.copy();
}

export function decodeAlarmMember(bytes: Uint8Array): AlarmMember {
  const r = new Reader(bytes);
  let memberId = 0n;
  let alarm = 0;
  while (r.next()) {
    if (r.tag === 0x08) memberId = r.bigUint64();
    else if (r.tag === 0x10) alarm = r.int32();
    else r.skip();
  }
  return { memberId, alarm };
}

export function encodeAlarmRequest(out: Writer, request: AlarmRequest): void {
  int64Field(out, 0x08, request.action);
  bigField(out, 0x10, request.memberId);
  int64Field(out, 0x18, request.alarm);
}

export function decodeAlarmRequest(bytes: Uint8Array): AlarmRequest {
  const r = new Reader(bytes);
  let action = 0;
  let memberId = 0n;
  let alarm = 0;
  while (r.next()) {
    if (r.tag === 0x08) action = r.int32();
    else if (r.tag === 0x10) memberId = r.bigUint64();
    else if (r.tag === 0x18) alarm = r.int32();
    else r.skip();
  }
  return { action, memberId, alarm };
}
