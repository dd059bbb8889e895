// AL1  Alarms are replicated state: raised and cleared only by applied entries, kept in `alarm`
//      rows.

import { emptyBytes } from "../../base/bytes.ts";
import { decodeAlarmMember, encodeAlarmMember, type AlarmMember } from "../../codec/alarm.ts";
import type { View } from "../backend/backend.ts";
import type { RowWriter } from "../backend/rows.ts";

export const alarmType = { none: 0, noSpace: 1, corrupt: 2 } as const;

/** Alarms by type, then member. */
export class AlarmStore {
  readonly #rows: RowWriter;
  readonly #alarms: AlarmMember[] = [];
  #noSpace = false;
  #corrupt = false;

  constructor(rows: RowWriter) {
    this.#rows = rows;
  }

  /** Reads the rows at start, or those of an installed snapshot. */
  load(view: View): void {
    this.#alarms.length = 0;
    view.range("alarm", emptyBytes, null, (key) => {
      this.#alarms.push(decodeAlarmMember(key));
      return true;
    });
    this.#refresh();
  }

  get noSpace(): boolean {
    return this.#noSpace;
  }

  get corrupt(): boolean {
    return this.#corrupt;
  }

  /** All alarms of a type (0 = every type). */
  list(type: number): AlarmMember[] {
    return this.#alarms.filter((a) => type === alarmType.none || a.alarm === type);
  }

  /** Returns the alarm, new or already there. */
  activate(memberId: bigint, type: number): AlarmMember {
    const found = this.#find(memberId, type);
    if (found !== undefined) return found;
    const alarm = { memberId, alarm: type };
    this.#alarms.push(alarm);
    this.#rows.put("alarm", encodeAlarmMember(alarm), emptyBytes); // AL1
    this.#refresh();
    return alarm;
  }

  /** Returns the alarm that was cleared, or null if it was not raised. */
  deactivate(memberId: bigint, type: number): AlarmMember | null {
    const found = this.#find(memberId, type);
    if (found === undefined) return null;
    this.#alarms.splice(this.#alarms.indexOf(found), 1);
    this.#rows.delete("alarm", encodeAlarmMember(found)); // AL1
    this.#refresh();
    return found;
  }

  #find(memberId: bigint, type: number): AlarmMember | undefined {
    return this.#alarms.find((a) => a.memberId === memberId && a.alarm === type);
  }

  #refresh(): void {
    this.#noSpace = this.#alarms.some((a) => a.alarm === alarmType.noSpace);
    this.#corrupt = this.#alarms.some((a) => a.alarm === alarmType.corrupt);
  }
}
