import { errNoSpace, type EtcdError } from "../base/etcd-errors.ts";
import { encodeAlarmRequest } from "../codec/alarm.ts";
import { Writer } from "../codec/writer.ts";
import { alarmType, type AlarmStore } from "./apply/alarm.ts";
import { requestField } from "./apply/fields.ts";
import type { Quota } from "./apply/quota.ts";
import type { Proposer } from "./rpc/services.ts";

export interface SpaceGuardParts {
  readonly quota: Quota;
  readonly proposer: Proposer;
  readonly alarms: AlarmStore;
  readonly localId: bigint;
}

/** Refuses writes that this member's quota cannot hold, and raises the alarm through the log. */
export class SpaceGuard {
  readonly #parts: SpaceGuardParts;
  #isRaising = false;

  constructor(parts: SpaceGuardParts) {
    this.#parts = parts;
  }

  get quota(): Quota {
    return this.#parts.quota;
  }

  /** The error for a request of this cost, or null. */
  check(cost: number): EtcdError | null {
    if (this.#parts.quota.available(cost)) return null;
    this.raise();
    return errNoSpace;
  }

  /** Asks for the NOSPACE alarm of this member, unless it is raised or asked for. */
  raise(): void {
    const { alarms, localId, proposer } = this.#parts;
    if (this.#isRaising || alarms.noSpace) return;
    this.#isRaising = true;
    const settled = (): void => {
      this.#isRaising = false;
    };
    const out = new Writer(32);
    encodeAlarmRequest(out, { action: 1, memberId: localId, alarm: alarmType.noSpace });
    proposer.propose(requestField.alarm, out.view(), { applied: settled, failed: settled });
  }
}
