import {
  alarmRequest,
  alarmResponse,
  downgradeRequest,
  downgradeResponse,
  hashKvRequest,
  hashKvResponse,
  hashResponse,
  moveLeaderRequest,
  snapshotResponse,
  statusResponse,
  type AlarmMember,
  type AlarmRequest,
  type AlarmResult,
  type DowngradeRequest,
  type DowngradeResult,
  type HashKvResult,
  type HashResult,
  type StatusResult,
} from "../codec/client/maintenance.ts";
import { headerOnly, nothing } from "../codec/client/schema.ts";
import type { Caller } from "./caller.ts";
import { toInt, toMemberId } from "./input.ts";
import { callerAt, methodsOf, patient, type EndpointOptions } from "./method.ts";
import { responses } from "./responses.ts";
import { Snapshot } from "./snapshot.ts";
import type { CallOptions, Header } from "./types.ts";

const method = methodsOf("etcdserverpb.Maintenance");
const alarm = method("Alarm", "read", alarmRequest, alarmResponse); // may be repeated: no effect
const status = method("Status", "read", nothing, statusResponse);
const defragment = method("Defragment", "never", nothing, headerOnly);
const hash = method("Hash", "read", nothing, hashResponse);
const hashKv = method("HashKV", "read", hashKvRequest, hashKvResponse);
const snapshot = method("Snapshot", "read", nothing, snapshotResponse);
const moveLeader = method("MoveLeader", "read", moveLeaderRequest, headerOnly);
const downgrade = method("Downgrade", "write", downgradeRequest, downgradeResponse);

/** Care of single members and of the cluster as a whole: `client.maintenance`. */
export class MaintenanceArea {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  async status(options?: EndpointOptions): Promise<StatusResult> {
    return callerAt(this.#caller, options).call(status, {}, options);
  }

  /** Gives unused space of the database back; the member answers nothing else meanwhile. */
  async defragment(options?: EndpointOptions): Promise<{ readonly header: Header }> {
    return callerAt(this.#caller, options).call(defragment, {}, patient(options));
  }

  /** CRC of the member's whole database: of use only when nothing is written. */
  async hash(options?: EndpointOptions): Promise<HashResult> {
    return callerAt(this.#caller, options).call(hash, {}, patient(options));
  }

  /**
   * Hash of all keys up to `revision` (0 or absent: the newest). Equal on all members when
   * revision and compact revision are.
   */
  async hashKv(options?: EndpointOptions & { readonly revision?: number }): Promise<HashKvResult> {
    const request = { revision: toInt(options?.revision, "revision") };
    return callerAt(this.#caller, options).call(hashKv, request, patient(options));
  }

  /** Only the leader can do it: name its endpoint, or be answered NotLeaderError. */
  async moveLeader(
    targetId: bigint,
    options?: EndpointOptions,
  ): Promise<{ readonly header: Header }> {
    const request = { targetId: toMemberId(targetId, "target id") };
    return callerAt(this.#caller, options).call(moveLeader, request, options);
  }

  async alarmList(options?: CallOptions): Promise<AlarmResult> {
    return this.#alarm({ action: "get", memberId: 0n, alarm: "none" }, options);
  }

  /** Raises an alarm by hand, as a member would: "nospace" stops writes, "corrupt" everything. */
  async alarmArm(of: AlarmMember, options?: CallOptions): Promise<AlarmResult> {
    return this.#alarm({ action: "activate", ...of }, options);
  }

  /** Lowers one alarm; without `of` all there are. Answers those that were lowered. */
  async alarmDisarm(of?: AlarmMember, options?: CallOptions): Promise<AlarmResult> {
    if (of !== undefined) return this.#alarm({ action: "deactivate", ...of }, options);
    let { header, alarms } = await this.alarmList(options);
    const lowered: AlarmMember[] = [];
    for (const one of alarms) {
      ({ header, alarms } = await this.#alarm({ action: "deactivate", ...one }, options));
      lowered.push(...alarms);
    }
    return { header, alarms: lowered };
  }

  /** Towards a version one minor below, "3.6": validate first, then enable; cancel takes it back. */
  async downgrade(
    action: "validate" | "enable" | "cancel",
    version = "",
    options?: CallOptions,
  ): Promise<DowngradeResult> {
    const request: DowngradeRequest = { action, version };
    return this.#caller.call(downgrade, request, options);
  }

  /** The member's database as a stream; nothing is sent before it is read. */
  snapshot(options?: EndpointOptions): Snapshot {
    const caller = callerAt(this.#caller, options);
    return new Snapshot(() => responses(caller, snapshot, {}, patient(options)));
  }

  #alarm(request: AlarmRequest, options: CallOptions | undefined): Promise<AlarmResult> {
    toMemberId(request.memberId);
    return this.#caller.call(alarm, request, options);
  }
}
