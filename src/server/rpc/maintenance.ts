import { utf8 } from "../../base/bytes.ts";
import { EtcdError, errNoLeader } from "../../base/etcd-errors.ts";
import { grpcCode } from "../../base/grpc-code.ts";
import type { Logger } from "../../base/log.ts";
import { clusterVersion, etcdVersion } from "../../base/version.ts";
import { decodeAlarmRequest, encodeAlarmRequest } from "../../codec/alarm.ts";
import { bigField, boolField, int64Field } from "../../codec/kv.ts";
import { Reader } from "../../codec/reader.ts";
import { Writer } from "../../codec/writer.ts";
import type { GrpcCall, GrpcMethod } from "../../http2/types.ts";
import { requestField } from "../apply/fields.ts";
import type { AlarmStore } from "../apply/alarm.ts";
import type { Backend } from "../backend/backend.ts";
import type { Cluster } from "../member/cluster.ts";
import type { LeaderTransfers } from "../member/leader-transfer.ts";
import type { KvStore } from "../mvcc/store.ts";
import type { Node } from "../node.ts";
import { WriteWaiter, type Answers } from "./answers.ts";
import type { Proposer } from "./services.ts";
import { createSnapshotStream } from "./snapshot-stream.ts";
import type { Snapshots } from "../snapshot/snapshot.ts";

export interface MaintenanceServiceParts {
  readonly store: KvStore;
  readonly backend: Backend;
  readonly node: Node;
  readonly cluster: Cluster;
  readonly transfers: LeaderTransfers;
  readonly alarms: AlarmStore;
  readonly proposer: Proposer;
  readonly answers: Answers;
  readonly log: Logger;
  readonly snapshots: Snapshots;
  readonly quotaBytes: number;
}

/** etcdserverpb.Maintenance: Status, Alarm, Defragment, Hash, HashKV, MoveLeader and Snapshot. */
export function createMaintenanceService(parts: MaintenanceServiceParts): GrpcMethod[] {
  const unary = (
    name: string,
    message: (parts: MaintenanceServiceParts, call: GrpcCall, bytes: Uint8Array) => void,
  ): GrpcMethod => ({
    path: `/etcdserverpb.Maintenance/${name}`,
    clientStreaming: false,
    serverStreaming: false,
    message: (call, bytes) => {
      message(parts, call, bytes);
    },
  });
  return [
    unary("Status", status),
    unary("Alarm", alarm),
    unary("Defragment", defragment),
    unary("Hash", hash),
    unary("HashKV", hashKv),
    unary("MoveLeader", moveLeader),
    createSnapshotStream(parts),
  ];
}

function status(parts: MaintenanceServiceParts, call: GrpcCall, bytes: Uint8Array): void {
  checkEmpty(bytes);
  const { answers, backend, node, store, alarms } = parts;
  const { file, inUse } = backend.size();
  const out = answers.begin(store.currentRevision);
  out.bytesField(0x12, utf8(etcdVersion));
  int64Field(out, 0x18, file);
  bigField(out, 0x20, node.leader);
  int64Field(out, 0x28, node.commitIndex);
  int64Field(out, 0x30, node.term);
  int64Field(out, 0x38, node.appliedIndex);
  if (node.leader === 0n) out.bytesField(0x42, utf8(errNoLeader.message));
  for (const a of alarms.list(0)) out.bytesField(0x42, utf8(alarmText(a.memberId, a.alarm)));
  int64Field(out, 0x48, inUse);
  boolField(out, 0x50, parts.cluster.isLocalLearner);
  out.bytesField(0x5a, utf8(clusterVersion));
  int64Field(out, 0x60, parts.quotaBytes);
  writeDowngradeInfo(out, parts.cluster);
  answers.send(call, out);
}

/** Empty while no downgrade is under way. */
function writeDowngradeInfo(out: Writer, { downgrade }: Cluster): void {
  const mark = out.beginNested(0x6a);
  boolField(out, 0x08, downgrade.isEnabled);
  if (downgrade.targetVersion !== "") out.bytesField(0x12, utf8(downgrade.targetVersion));
  out.endNested(mark);
}

const alarmNames = ["NONE", "NOSPACE", "CORRUPT"];

/** The alarm in protobuf's text form, which leaves zero fields out. */
function alarmText(memberId: bigint, type: number): string {
  const fields = memberId === 0n ? [] : [`memberID:${memberId}`];
  if (type !== 0) fields.push(`alarm:${alarmNames[type] ?? type}`);
  return fields.join("  ");
}

function alarm(parts: MaintenanceServiceParts, call: GrpcCall, bytes: Uint8Array): void {
  const out = new Writer(32);
  encodeAlarmRequest(out, decodeAlarmRequest(bytes));
  parts.proposer.propose(requestField.alarm, out.view(), new WriteWaiter(call, parts.answers));
}

function defragment(parts: MaintenanceServiceParts, call: GrpcCall, bytes: Uint8Array): void {
  checkEmpty(bytes);
  const { log, backend } = parts;
  log.info("starting defragment");
  backend.defragment((error) => {
    if (error !== null) {
      log.warn("failed to defragment", { error: error.message });
      parts.answers.fail(call, new EtcdError(grpcCode.unknown, error.message));
      return;
    }
    log.info("finished defragment");
    call.reply(new Uint8Array(0), 0, 0); // this answer has no header
  });
}

function hash(parts: MaintenanceServiceParts, call: GrpcCall, bytes: Uint8Array): void {
  checkEmpty(bytes);
  const { answers, store } = parts;
  const { currentRevision } = store;
  store.hash((value) => {
    const out = answers.begin(currentRevision);
    int64Field(out, 0x10, value);
    answers.send(call, out);
  });
}

function hashKv(parts: MaintenanceServiceParts, call: GrpcCall, bytes: Uint8Array): void {
  const { answers, store } = parts;
  const asked = decodeHashKvRevision(bytes);
  store.hashKv(Number(asked), (outcome) => {
    if ("code" in outcome) {
      answers.fail(call, outcome);
      return;
    }
    const out = answers.begin(store.currentRevision);
    int64Field(out, 0x10, outcome.hash);
    int64Field(out, 0x18, outcome.compactRevision);
    // A negative revision is echoed as it came, to the last digit.
    bigField(out, 0x20, asked < 0n ? asked : BigInt(outcome.hashRevision));
    answers.send(call, out);
  });
}

function moveLeader(parts: MaintenanceServiceParts, call: GrpcCall, bytes: Uint8Array): void {
  const r = new Reader(bytes);
  let target = 0n;
  while (r.next()) {
    if (r.tag === 0x08) target = r.bigUint64();
    else r.skip();
  }
  parts.transfers.move(target, (error) => {
    if (error === null)
      call.reply(new Uint8Array(0), 0, 0); // this answer has no header
    else parts.answers.fail(call, error);
  });
}

function decodeHashKvRevision(bytes: Uint8Array): bigint {
  const r = new Reader(bytes);
  let revision = 0n;
  while (r.next()) {
    if (r.tag === 0x08) revision = r.bigInt64();
    else r.skip();
  }
  return revision;
}

/** Malformed bytes are refused even where a request has no fields. */
function checkEmpty(bytes: Uint8Array): void {
  const r = new Reader(bytes);
  while (r.next()) r.skip();
}
