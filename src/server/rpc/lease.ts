import { EtcdError, errNotPrimaryLessor, errStopped } from "../../base/etcd-errors.ts";
import { grpcCode } from "../../base/grpc-code.ts";
import type { Random } from "../../base/ports.ts";
import {
  decodeLeaseGrantRequest,
  decodeLeaseId,
  decodeLeaseIdRequest,
  decodeLeaseTimeToLiveRequest,
  encodeLeaseAnswer,
  encodeLeaseGrantRequest,
  encodeLeaseIdRequest,
} from "../../codec/lease.ts";
import { Writer } from "../../codec/writer.ts";
import type { GrpcCall, GrpcMethod } from "../../http2/types.ts";
import { requestField } from "../apply/fields.ts";
import type { RenewWaiter } from "../lease/lease.ts";
import { leaseLimits, renewed } from "../lease/lessor.ts";
import type { Lessor } from "../lease/lessor.ts";
import { WriteWaiter } from "./answers.ts";
import type { Answers } from "./answers.ts";
import type { ClusterLeases, LinearizableReads, Proposer, ReadWaiter } from "./services.ts";

const tagId = 0x10;
const tagTtl = 0x18;
const tagLeases = 0x12;
const tagStatusId = 0x08;

const errTooManyWaiting = new EtcdError(
  grpcCode.resourceExhausted,
  "quorate: too many keep-alive requests wait on one stream",
);

export interface LeaseServiceParts {
  readonly lessor: Lessor;
  readonly proposer: Proposer;
  readonly reads: LinearizableReads;
  readonly leases: ClusterLeases;
  readonly answers: Answers;
  readonly random: Random;
  /** The store's revision, for headers. */
  readonly currentRevision: () => number;
  /** Answers the error when a grant cannot fit the quota, having asked for the alarm; else null. */
  readonly checkQuota: () => EtcdError | null;
}

/** etcdserverpb.Lease. */
export function createLeaseService(parts: LeaseServiceParts): GrpcMethod[] {
  const service = new LeaseService(parts);
  const unary = (name: string, message: GrpcMethod["message"]): GrpcMethod => ({
    path: `/etcdserverpb.Lease/${name}`,
    clientStreaming: false,
    serverStreaming: false,
    message,
  });
  return [
    unary("LeaseGrant", (call, bytes) => {
      service.grant(call, bytes);
    }),
    unary("LeaseRevoke", (call, bytes) => {
      service.revoke(call, bytes);
    }),
    unary("LeaseTimeToLive", (call, bytes) => {
      timeToLive(call, bytes, parts);
    }),
    unary("LeaseLeases", (call) => {
      service.leases(call);
    }),
    keepAliveMethod(parts),
  ];
}

class LeaseService {
  private readonly parts: LeaseServiceParts;
  private readonly scratch = new Writer();

  constructor(parts: LeaseServiceParts) {
    this.parts = parts;
  }

  grant(call: GrpcCall, bytes: Uint8Array): void {
    const { answers, checkQuota, lessor, random } = this.parts;
    const request = decodeLeaseGrantRequest(bytes);
    const error = checkQuota();
    if (error !== null) {
      answers.fail(call, error);
      return;
    }
    let body = bytes;
    if (request.id === 0n || !request.canonical) {
      if (request.id === 0n) request.id = pickId(lessor, random);
      this.scratch.reset();
      encodeLeaseGrantRequest(this.scratch, request);
      body = this.scratch.view();
    }
    this.propose(call, requestField.leaseGrant, body);
  }

  revoke(call: GrpcCall, bytes: Uint8Array): void {
    const request = decodeLeaseIdRequest(bytes);
    let body = bytes;
    if (!request.canonical) {
      this.scratch.reset();
      encodeLeaseIdRequest(this.scratch, request.id);
      body = this.scratch.view();
    }
    this.propose(call, requestField.leaseRevoke, body);
  }

  leases(call: GrpcCall): void {
    const { answers, lessor, currentRevision } = this.parts;
    const out = answers.begin(currentRevision());
    for (const id of lessor.ids()) {
      const mark = out.beginNested(tagLeases);
      out.byte(tagStatusId);
      out.bigVarint(id);
      out.endNested(mark);
    }
    answers.send(call, out);
  }

  private propose(call: GrpcCall, field: number, body: Uint8Array): void {
    const { proposer, answers } = this.parts;
    proposer.propose(field, body, new WriteWaiter(call, answers));
  }
}

/** A positive 63-bit id that no lease has. */
function pickId(lessor: Lessor, random: Random): bigint {
  for (;;) {
    const id = (BigInt(random.u32() >>> 1) << 32n) | BigInt(random.u32());
    if (id !== 0n && !lessor.exists(id)) return id;
  }
}

function timeToLive(call: GrpcCall, bytes: Uint8Array, parts: LeaseServiceParts): void {
  const { answers, leases, currentRevision } = parts;
  const { id, keys } = decodeLeaseTimeToLiveRequest(bytes);
  leases.timeToLive(id, keys, (error, answer) => {
    if (call.done) return;
    if (error !== null) {
      answers.fail(call, error);
      return;
    }
    const out = answers.begin(currentRevision());
    encodeLeaseAnswer(out, answer);
    answers.send(call, out);
  });
}

function keepAliveMethod(parts: LeaseServiceParts): GrpcMethod {
  return {
    path: "/etcdserverpb.Lease/LeaseKeepAlive",
    clientStreaming: true,
    serverStreaming: true,
    open: (call) => {
      call.state = new KeepAliveSession(call, parts);
    },
    message: (call, bytes) => {
      (call.state as KeepAliveSession).message(decodeLeaseId(bytes));
    },
    halfClosed: (call) => {
      (call.state as KeepAliveSession).halfClosed();
    },
    cancelled: (call) => {
      (call.state as KeepAliveSession).cancelled();
    },
    drained: (call) => {
      (call.state as KeepAliveSession).cancelled();
      parts.answers.fail(call, errStopped);
    },
  };
}

/**
 * One keep-alive stream: one answer per request, in order. A request that cannot be answered yet
 * holds back those behind it.
 */
class KeepAliveSession implements RenewWaiter, ReadWaiter {
  private readonly call: GrpcCall;
  private readonly parts: LeaseServiceParts;
  private readonly queue: bigint[] = [];
  private queueStart = 0;
  private waitsFor: "nothing" | "revoke" | "read" | "leader" = "nothing";
  /** The request being answered, and the store's revision when it came (the header's). */
  private id = 0n;
  private revision = 0;
  private isHalfClosed = false;
  private isGoingOn = false;

  constructor(call: GrpcCall, parts: LeaseServiceParts) {
    this.call = call;
    this.parts = parts;
  }

  message(id: bigint): void {
    if (this.waitsFor === "nothing") {
      this.start(id);
    } else if (this.queue.length - this.queueStart < leaseLimits.keepAliveQueueMax) {
      this.queue.push(id);
    } else {
      this.fail(errTooManyWaiting);
    }
  }

  halfClosed(): void {
    this.isHalfClosed = true;
    if (this.waitsFor === "nothing") this.call.finish(grpcCode.ok, "");
  }

  cancelled(): void {
    this.queue.length = 0;
    this.queueStart = 0;
    if (this.waitsFor === "revoke") this.parts.lessor.cancelRenew(this.id, this);
  }

  /** The expired lease's fate (LS4). */
  renewEnded(_id: bigint, outcome: "missing" | "notPrimary"): void {
    if (outcome === "notPrimary") this.fail(errNotPrimaryLessor);
    else this.answer(renewed.missing);
    this.goOn();
  }

  /** The barrier of a lease not found: its grant may have been applied by now (etcd 13932). */
  ready(error: EtcdError | null): void {
    if (this.call.done) return;
    if (error !== null) this.fail(error);
    else this.settle(this.parts.lessor.renew(this.id, this));
    if (this.waitsFor === "read") this.goOn();
  }

  private start(id: bigint): void {
    const { lessor, leases, reads, currentRevision } = this.parts;
    this.id = id;
    this.revision = currentRevision();
    if (!leases.isAlone) {
      this.askLeader();
      return;
    }
    const ttl = lessor.renew(id, this);
    if (ttl === renewed.missing) {
      this.waitsFor = "read";
      reads.read(this);
    } else {
      this.settle(ttl);
    }
  }

  /** Another member may lead, or has to confirm that we do. */
  private askLeader(): void {
    this.waitsFor = "leader";
    this.parts.leases.renew(this.id, (error, ttl) => {
      if (this.call.done) return;
      if (error !== null) this.fail(error);
      else this.answer(ttl);
      this.goOn();
    });
  }

  private settle(ttl: number): void {
    if (ttl === renewed.waiting) this.waitsFor = "revoke";
    else if (ttl === renewed.checkpointed) this.askLeader();
    else if (ttl === renewed.notPrimary) this.fail(errNotPrimaryLessor);
    else this.answer(ttl);
  }

  /** Answers what waited behind the request that was just answered. */
  private goOn(): void {
    this.waitsFor = "nothing";
    if (this.isGoingOn) return; // answered at once: the loop below goes on by itself
    this.isGoingOn = true;
    while (!this.isWaiting() && this.queueStart < this.queue.length && !this.call.done) {
      this.start(this.queue[this.queueStart++]!);
    }
    this.isGoingOn = false;
    if (this.isWaiting()) return;
    this.queue.length = 0;
    this.queueStart = 0;
    if (this.isHalfClosed && !this.call.done) this.call.finish(grpcCode.ok, "");
  }

  private isWaiting(): boolean {
    return this.waitsFor !== "nothing";
  }

  private answer(ttl: number): void {
    if (this.call.done) return;
    const out = this.parts.answers.begin(this.revision);
    writeId(out, this.id);
    writeNumber(out, tagTtl, ttl);
    this.call.send(out.bytes, 0, out.length);
  }

  private fail(error: EtcdError): void {
    this.queue.length = 0;
    this.queueStart = 0;
    this.parts.answers.fail(this.call, error);
  }
}

function writeId(out: Writer, id: bigint): void {
  if (id === 0n) return;
  out.byte(tagId);
  out.bigVarint(id);
}

function writeNumber(out: Writer, tag: number, value: number): void {
  if (value === 0) return;
  out.byte(tag);
  out.int64(value);
}
