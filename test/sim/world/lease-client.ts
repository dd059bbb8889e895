/** A client with a lease and a key on it: renews it for a while, leaves it, and looks. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as rpc from "../../../src/gen/rpc_pb.js";
import type { KvRequest, LeaseEvent } from "../../check/history.ts";
import { encodeRequest, decodeResponse } from "./codec.ts";
import { isRefusal, type ClientParts } from "./kv-client.ts";
import { Rpc } from "./rpc.ts";

const keepAlivePath = "/etcdserverpb.Lease/LeaseKeepAlive";
const answerMsMax = 3000;

type Answer = { code: number; message: string; bytes: Uint8Array | null };

export class LeaseClient {
  readonly #parts: ClientParts;
  readonly #process: number;
  #count = 0;
  #id = "";
  #ttlMs = 0;
  #renewals = 0;
  isStopped = false;

  constructor(parts: ClientParts, process: number) {
    this.#parts = parts;
    this.#process = process;
  }

  start(): void {
    if (this.isStopped) return;
    const { random } = this.#parts;
    this.#id = String(this.#process * 1000 + ++this.#count);
    this.#renewals = random.below(8);
    this.#grant();
  }

  #grant(): void {
    const { recorder, scheduler } = this.#parts;
    const request: KvRequest = { kind: "grant", lease: this.#id };
    // The end of the lease is an operation that nobody asks for and nobody answers.
    const { path, bytes } = encodeRequest(request);
    const call = scheduler.now;
    const id = recorder.begin(this.#process, request, call);
    recorder.begin(this.#process + 1, { kind: "revoke", lease: this.#id }, call);
    this.#ask(path, bytes, (answer) => {
      if (answer.bytes === null) {
        if (isRefusal(answer.code, answer.message)) recorder.refused(id);
        this.#later(() => this.start());
        return;
      }
      recorder.end(id, decodeResponse(request, answer.bytes), scheduler.now);
      this.#ttlMs = Number(fromBinary(rpc.LeaseGrantResponseSchema, answer.bytes).TTL) * 1000;
      this.#event("granted", call);
      this.#put();
    });
  }

  #put(): void {
    const { recorder, scheduler } = this.#parts;
    const key = `lease${this.#process}`;
    const request: KvRequest = { kind: "put", key, value: this.#id, lease: this.#id };
    const { path, bytes } = encodeRequest(request);
    const id = recorder.begin(this.#process, request, scheduler.now);
    this.#ask(path, bytes, (answer) => {
      if (answer.bytes !== null) {
        recorder.end(id, decodeResponse(request, answer.bytes), scheduler.now);
      } else if (isRefusal(answer.code, answer.message)) recorder.refused(id);
      this.#later(() => this.#renew());
    });
  }

  #renew(): void {
    if (this.#renewals-- <= 0 || this.isStopped) {
      this.#look(0);
      return;
    }
    const { scheduler } = this.#parts;
    const call = scheduler.now;
    const message = create(rpc.LeaseKeepAliveRequestSchema, { ID: BigInt(this.#id) });
    this.#ask(keepAlivePath, toBinary(rpc.LeaseKeepAliveRequestSchema, message), (answer) => {
      if (answer.bytes === null) this.#event("lost", call);
      else {
        const ttl = Number(fromBinary(rpc.LeaseKeepAliveResponseSchema, answer.bytes).TTL);
        if (ttl <= 0) {
          this.#event("missing", call);
          this.#later(() => this.start());
          return;
        }
        this.#event("renewed", call);
      }
      scheduler.after(this.#ttlMs / 3, this.#parts.world, () => {
        this.#renew();
      });
    });
  }

  /** The lease was left: looks at it until it is gone. */
  #look(count: number): void {
    const { scheduler, world } = this.#parts;
    const call = scheduler.now;
    const message = create(rpc.LeaseTimeToLiveRequestSchema, { ID: BigInt(this.#id) });
    const bytes = toBinary(rpc.LeaseTimeToLiveRequestSchema, message);
    this.#ask("/etcdserverpb.Lease/LeaseTimeToLive", bytes, (answer) => {
      if (answer.bytes !== null) {
        const ttl = Number(fromBinary(rpc.LeaseTimeToLiveResponseSchema, answer.bytes).TTL);
        this.#event(ttl === -1 ? "missing" : "present", call);
        if (ttl === -1) this.#parts.mark("lease.expired");
        if (ttl === -1 || count > looksMax) {
          this.#later(() => this.start());
          return;
        }
      }
      if (this.isStopped) return;
      scheduler.after(300, world, () => {
        this.#look(count + 1);
      });
    });
  }

  #event(kind: LeaseEvent["kind"], call: number): void {
    const { recorder, scheduler } = this.#parts;
    const at = scheduler.now;
    if (kind === "granted" || kind === "renewed") {
      recorder.lease(this.#id, { kind, call, at, ttlMs: this.#ttlMs });
    } else recorder.lease(this.#id, { kind, call, at });
  }

  #later(run: () => void): void {
    const { scheduler, world, random } = this.#parts;
    scheduler.after(50 + random.below(500), world, run);
  }

  #ask(path: string, bytes: Uint8Array, done: (answer: Answer) => void): void {
    const { random, members, scheduler, world, note } = this.#parts;
    const all = members();
    const target = all[random.below(all.length)]!;
    let isOver = false;
    const finish = (answer: Answer): void => {
      if (isOver) return;
      isOver = true;
      const { name } = target.birth;
      note(`lease ${this.#id} ${path} at ${name}: ${answer.code} ${answer.message}`);
      done(answer);
    };
    const call = new Rpc(this.#parts, target, path, {
      message: (answer) => {
        finish({ code: 0, message: "", bytes: answer });
        if (path === keepAlivePath) call.cancel();
      },
      end: (code, message) => {
        finish({ code, message, bytes: null });
      },
    });
    call.send(bytes, path !== keepAlivePath);
    scheduler.after(answerMsMax, world, () => {
      if (isOver) return;
      call.cancel();
      finish({ code: 4, message: "deadline", bytes: null });
    });
  }
}

const looksMax = 200;
