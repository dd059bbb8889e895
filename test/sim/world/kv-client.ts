/** A client that does one operation after the other and writes down what it sees. */

import type { Random } from "../../../src/base/ports.ts";
import type { KvRequest, KvResponse, Recorder } from "../../check/history.ts";
import { decodeResponse, encodeRequest } from "./codec.ts";
import { thinkMsAt, type SimOptions } from "./options.ts";
import type { SimProcess } from "./process.ts";
import { Rpc } from "./rpc.ts";
import type { RpcParts } from "./rpc.ts";

export interface ClientParts extends RpcParts {
  readonly options: SimOptions;
  readonly recorder: Recorder;
  /** Members a client may talk to. */
  readonly members: () => readonly SimProcess[];
  readonly note: (text: string) => void;
}

/** Codes and texts of answers that say that nothing was done. */
const refusingCodes = new Set([3, 5, 8, 9, 11]);
const refusingTexts = new Set([
  "connection refused",
  "etcdserver: no leader",
  "etcdserver: too many requests",
  "etcdserver: rpc not supported for learner",
]);

export function isRefusal(code: number, message: string): boolean {
  return refusingCodes.has(code) || refusingTexts.has(message);
}

export class KvClient {
  readonly #parts: ClientParts;
  readonly #process: number;
  readonly #random: Random;
  /** -1: any member, each time. */
  readonly #pinned: number;
  /** What it last saw of each key: its mod revision. */
  readonly #mods = new Map<string, number>();
  #count = 0;
  /** No more operations are begun. */
  isStopped = false;
  successes = 0;
  #revision = 1;

  constructor(parts: ClientParts, process: number) {
    this.#parts = parts;
    this.#process = process;
    this.#random = parts.random;
    this.#pinned = parts.random.below(3) === 0 ? -1 : parts.random.below(8);
  }

  start(): void {
    const { scheduler, world, options } = this.#parts;
    const pause = this.#random.below(2 * thinkMsAt(options, scheduler.now) + 1);
    scheduler.after(pause, world, () => {
      if (this.isStopped) return;
      this.run(this.#draw(), () => {
        this.start();
      });
    });
  }

  /** One operation; `done` gets the answer, or null and whether it certainly did not happen. */
  run(
    request: KvRequest,
    done: (response: KvResponse | null, isRefused: boolean) => void,
    target = this.#target(),
    waitMs = 300 + this.#random.below(5000),
  ): void {
    const { scheduler, world, recorder } = this.#parts;
    const id = recorder.begin(this.#process, request, scheduler.now);
    const { path, bytes } = encodeRequest(request);
    let answer: Uint8Array | null = null;
    let isOver = false;
    const finish = (code: number, message: string): void => {
      if (isOver) return;
      isOver = true;
      if (code === 0 && answer !== null) {
        done(this.#answered(id, request, answer), false);
        return;
      }
      const isRefused = isRefusal(code, message);
      if (isRefused) recorder.refused(id);
      done(null, isRefused);
    };
    const rpc = new Rpc(this.#parts, target, path, {
      message: (message) => {
        answer = message;
      },
      end: finish,
    });
    rpc.send(bytes, true);
    scheduler.after(waitMs, world, () => {
      if (isOver) return;
      rpc.cancel();
      finish(4, "deadline");
    });
  }

  #answered(id: number, request: KvRequest, answer: Uint8Array): KvResponse {
    const { scheduler, recorder } = this.#parts;
    const response = decodeResponse(request, answer);
    recorder.end(id, response, scheduler.now);
    this.successes++;
    this.#revision = Math.max(this.#revision, response.revision);
    if (response.kind === "range") for (const kv of response.kvs) this.#mods.set(kv.key, kv.mod);
    return response;
  }

  #target(): SimProcess {
    const members = this.#parts.members();
    const at = this.#pinned === -1 ? this.#random.below(members.length) : this.#pinned;
    return members[at % members.length]!;
  }

  #value(): string {
    const bytesMax = this.#random.below(40) === 0 ? 3000 : this.#parts.options.valueBytesMax;
    const padding = bytesMax > 0 ? "x".repeat(this.#random.below(bytesMax)) : "";
    return `${this.#process}-${++this.#count}${padding}`;
  }

  #draw(): KvRequest {
    const key = `k${this.#random.below(this.#parts.options.keys)}`;
    switch (this.#random.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return { kind: "put", key, value: this.#value() };
      case 4:
        return { kind: "delete", key };
      case 5:
        return { kind: "range", key: "a", end: "z" };
      case 6:
        return { kind: "range", key, isSerializable: true };
      case 7:
        return { kind: "range", key: "k", end: "l", revision: this.#past() };
      case 8:
      case 9:
        return this.#txn(key);
      default:
        return { kind: "range", key };
    }
  }

  #past(): number {
    return Math.max(1, this.#revision - this.#random.below(10));
  }

  #txn(key: string): KvRequest {
    const other = `k${this.#random.below(this.#parts.options.keys)}`;
    const puts: KvRequest[] = [{ kind: "put", key, value: this.#value() }];
    if (other !== key) puts.push({ kind: "put", key: other, value: this.#value() });
    const operand = this.#mods.get(key) ?? 0;
    return {
      kind: "txn",
      compares: [{ key, target: "mod", result: "=", operand }],
      success: puts,
      failure: [{ kind: "range", key }],
    };
  }
}
