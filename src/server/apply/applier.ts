// AP1  The effect of an entry depends on replicated state only: every member ends up equal.
// AP2  Every entry, refused ones included, advances the consistent index, in the same commit as its
//      rows (the owner does that after each call).
// AP3  Answers are written only on the member where somebody waits.

import { BugError } from "../../base/assert.ts";
import { errCorrupt, errNoSpace, type EtcdError } from "../../base/etcd-errors.ts";
import { decodeAlarmRequest, writeAlarmMember } from "../../codec/alarm.ts";
import { decodeInternalRequest } from "../../codec/internal.ts";
import { decodeDeleteRangeRequest, decodePutRequest } from "../../codec/kv.ts";
import {
  decodeLeaseCheckpointRequest,
  decodeLeaseGrantRequest,
  decodeLeaseIdRequest,
} from "../../codec/lease.ts";
import type { InternalRequest, TxnRequest } from "../../codec/messages.ts";
import { decodeConfChange } from "../../codec/conf-change.ts";
import {
  decodeClusterMemberAttrSet,
  decodeClusterVersionSet,
  decodeDowngradeInfoSet,
} from "../../codec/membership.ts";
import { decodeCompactionRequest, decodeTxnRequest } from "../../codec/txn.ts";
import { Writer } from "../../codec/writer.ts";
import type { ApplyTimes } from "./apply-times.ts";
import type { Lessor } from "../lease/lessor.ts";
import type { Cluster } from "../member/cluster.ts";
import type { KvStore } from "../mvcc/store.ts";
import { alarmType, type AlarmStore } from "./alarm.ts";
import { requestField } from "./fields.ts";
import { leaseGrantCost, putCost, txnCost, type Quota } from "./quota.ts";
import {
  checkPutState,
  createTxnState,
  runDeleteRange,
  runPut,
  runTxn,
  type TxnState,
} from "./txn.ts";

/** What one entry came to. One object serves all entries: take from it what is needed at once. */
export interface ApplyResult {
  error: EtcdError | null;
  /** For the answer's header. */
  revision: number;
  /** The answer behind its header, valid until the next entry. */
  readonly body: Writer;
  /** The compaction that the entry started, if it was one. */
  compaction: CompactionProgress | null;
}

/** A compaction under way: finished once its rows are gone and that is durable. */
class CompactionProgress {
  #isFinished = false;
  #run: (() => void) | null = null;

  finish(): void {
    this.#isFinished = true;
    this.#run?.();
  }

  /** Runs `run` once, now or when it is finished. */
  whenFinished(run: () => void): void {
    if (this.#isFinished) run();
    else this.#run = run;
  }
}

/** Who waits for entries here. */
export interface ApplyWaiters {
  /** Upper 16 bits of the ids this member gives out. */
  readonly idHigh: number;
  get(idLow: number): { readonly request?: TxnRequest } | undefined;
  applied(idLow: number, result: ApplyResult): boolean;
}

export interface ApplierParts {
  readonly store: KvStore;
  readonly lessor: Lessor;
  readonly cluster: Cluster;
  readonly alarms: AlarmStore;
  readonly quota: Quota;
  readonly waiters: ApplyWaiters;
  readonly times: ApplyTimes;
  /** An applied request did not fit the quota of this member (semantics.md 11). */
  onNoSpace(): void;
}

const tagLeaseId = 0x10;
const tagLeaseTtl = 0x18;
const tagAlarms = 0x12;

/** Turns committed entries into changes of the state machine, one at a time, in order. */
export class Applier {
  readonly #parts: ApplierParts;
  readonly #txnState: TxnState;
  readonly #result: ApplyResult;
  /** The request being applied, if whoever waits for it had decoded it: the same bytes (AP1). */
  #decodedTxn: TxnRequest | null = null;

  constructor(parts: ApplierParts) {
    this.#parts = parts;
    const { store, lessor } = parts;
    this.#txnState = createTxnState(store, lessor);
    this.#result = { error: null, revision: 0, body: new Writer(), compaction: null };
  }

  /** Applies one normal entry's data (never empty) and tells whoever waits for it. */
  apply(data: Uint8Array): void {
    const request = decodeInternalRequest(data);
    const { waiters, store, times } = this.#parts;
    const waiter = request.idHigh === waiters.idHigh ? waiters.get(request.idLow) : undefined;
    this.#decodedTxn = waiter?.request ?? null;
    const result = this.#result;
    result.error = null;
    result.revision = 0;
    result.body.reset();
    result.compaction = null;
    times.begin(request.field);
    result.error = this.#run(request, waiter === undefined ? null : result.body);
    times.end(request.field, result.error === null);
    if (result.revision === 0) result.revision = store.currentRevision;
    if (waiter !== undefined) waiters.applied(request.idLow, result);
  }

  /**
   * Applies a ConfChange entry and tells whoever waits for it. Answers what raft is to do: a
   * refused change has node id 0 and changes nothing there either.
   */
  applyConfChange(data: Uint8Array): { readonly type: number; readonly nodeId: bigint } {
    const { cluster, waiters, store } = this.#parts;
    const change = decodeConfChange(data);
    const result = this.#result;
    result.error = cluster.apply(change);
    result.revision = store.currentRevision;
    result.body.reset();
    result.compaction = null;
    if (Number(change.id >> 48n) === waiters.idHigh) {
      waiters.applied(Number(change.id & 0xffff_ffff_ffffn), result);
    }
    return { type: change.type, nodeId: result.error === null ? change.nodeId : 0n };
  }

  #run(request: InternalRequest, out: Writer | null): EtcdError | null {
    const { field, body } = request;
    switch (field) {
      case requestField.put:
        return this.#put(body, out);
      case requestField.txn:
        return this.#txn(body, out);
      case requestField.deleteRange:
        return this.#deleteRange(body, out);
      case requestField.leaseGrant:
        return this.#leaseGrant(body, out);
      case requestField.leaseRevoke:
        return this.#leaseRevoke(body);
      case requestField.compaction:
        return this.#compaction(body);
      default:
        return this.#runRare(request, out);
    }
  }

  #runRare({ field, body }: InternalRequest, out: Writer | null): EtcdError | null {
    const { cluster, lessor } = this.#parts;
    switch (field) {
      case requestField.range:
        return null; // no effect; reads are answered without the log
      case requestField.alarm:
        return this.#alarm(body, out);
      case requestField.leaseCheckpoint:
        for (const c of decodeLeaseCheckpointRequest(body)) {
          lessor.applyCheckpoint(c.id, c.remainingTtl);
        }
        return null;
      case requestField.clusterVersionSet:
        cluster.setVersion(decodeClusterVersionSet(body));
        return null;
      case requestField.clusterMemberAttrSet: {
        const { memberId, name, clientUrls } = decodeClusterMemberAttrSet(body);
        cluster.setAttributes(memberId, name, clientUrls);
        return null;
      }
      case requestField.downgradeInfoSet: {
        const { isEnabled, version } = decodeDowngradeInfoSet(body);
        cluster.setDowngrade({ isEnabled, targetVersion: isEnabled ? version : "" });
        return null;
      }
      case requestField.downgradeVersionTest:
        return null; // etcd's tests of older members; no effect
      default:
        throw new BugError(`entry with a request this version does not know: field ${field}`);
    }
  }

  #put(body: Uint8Array, out: Writer | null): EtcdError | null {
    const { alarms, store } = this.#parts;
    if (alarms.corrupt) return errCorrupt;
    if (alarms.noSpace) return errNoSpace;
    const put = decodePutRequest(body);
    const fits = this.#fits(putCost(put));
    const txn = store.begin();
    const error = checkPutState(txn, put, this.#txnState);
    if (error === null) runPut(txn, put, out, false);
    this.#result.revision = txn.end();
    return error ?? this.#spaceVerdict(fits);
  }

  #deleteRange(body: Uint8Array, out: Writer | null): EtcdError | null {
    if (this.#parts.alarms.corrupt) return errCorrupt;
    const txn = this.#parts.store.begin();
    runDeleteRange(txn, decodeDeleteRangeRequest(body), out, false);
    this.#result.revision = txn.end();
    return null;
  }

  #txn(body: Uint8Array, out: Writer | null): EtcdError | null {
    const { alarms, store } = this.#parts;
    if (alarms.corrupt) return errCorrupt;
    const request = this.#decodedTxn ?? decodeTxnRequest(body);
    const cost = txnCost(request);
    if (alarms.noSpace && cost > 0) return errNoSpace;
    const fits = this.#fits(cost);
    const txn = store.begin();
    const error = runTxn(txn, request, this.#txnState, out);
    this.#result.revision = txn.end();
    return error ?? this.#spaceVerdict(fits);
  }

  #compaction(body: Uint8Array): EtcdError | null {
    const { alarms, store } = this.#parts;
    if (alarms.corrupt) return errCorrupt;
    const progress = new CompactionProgress();
    const error = store.compact(decodeCompactionRequest(body).revision, () => {
      progress.finish();
    });
    if (error === null) this.#result.compaction = progress;
    return error;
  }

  #leaseGrant(body: Uint8Array, out: Writer | null): EtcdError | null {
    const { alarms, lessor } = this.#parts;
    if (alarms.corrupt) return errCorrupt;
    if (alarms.noSpace) return errNoSpace;
    const { id, ttl } = decodeLeaseGrantRequest(body);
    const fits = this.#fits(leaseGrantCost());
    const grantedTtl = lessor.applyGrant(id, ttl);
    if (typeof grantedTtl !== "number") return grantedTtl;
    if (out !== null) {
      if (id !== 0n) {
        out.byte(tagLeaseId);
        out.bigVarint(id);
      }
      out.byte(tagLeaseTtl);
      out.varint(grantedTtl);
    }
    return this.#spaceVerdict(fits);
  }

  /** The attached keys go in one transaction, in key order. */
  #leaseRevoke(body: Uint8Array): EtcdError | null {
    if (this.#parts.alarms.corrupt) return errCorrupt;
    const keys = this.#parts.lessor.applyRevoke(decodeLeaseIdRequest(body).id);
    if ("code" in keys) return keys;
    if (keys.length === 0) return null;
    const txn = this.#parts.store.begin();
    for (const key of keys) txn.deleteRange(key, new Uint8Array(0));
    this.#result.revision = txn.end();
    return null;
  }

  #alarm(body: Uint8Array, out: Writer | null): EtcdError | null {
    const { alarms } = this.#parts;
    const { action, memberId, alarm } = decodeAlarmRequest(body);
    let shown: readonly { memberId: bigint; alarm: number }[] = [];
    if (action === 0) {
      shown = alarms.list(alarm);
    } else if (action === 1) {
      if (alarm !== alarmType.none) shown = [alarms.activate(memberId, alarm)];
    } else if (action === 2) {
      const cleared = alarms.deactivate(memberId, alarm);
      if (cleared !== null) shown = [cleared];
    }
    if (out === null) return null;
    for (const a of shown) {
      const mark = out.beginNested(tagAlarms);
      writeAlarmMember(out, a);
      out.endNested(mark);
    }
    return null;
  }

  #fits(cost: number): boolean {
    return this.#parts.quota.available(cost);
  }

  /**
   * As etcd: the write stands (AP1), its sender hears of the full quota, and the alarm is raised.
   */
  #spaceVerdict(fits: boolean): EtcdError | null {
    if (fits) return null;
    this.#parts.onNoSpace();
    return errNoSpace;
  }
}
