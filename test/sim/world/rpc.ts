/**
 * gRPC without sockets: what a client sends reaches the shipped service after a while, and what
 * that answers comes back after another one, in order, or gets lost with the process.
 */

import type { Random } from "../../../src/base/ports.ts";
import type { GrpcCall, GrpcMethod } from "../../../src/http2/types.ts";
import type { Life, Scheduler } from "../scheduler.ts";
import type { SimProcess } from "./process.ts";

export const statusUnavailable = 14;
export const statusDeadline = 4;

export interface RpcEvents {
  message(bytes: Uint8Array): void;
  /** Once; nothing comes afterwards. */
  end(code: number, message: string): void;
}

export interface RpcParts {
  readonly scheduler: Scheduler;
  readonly world: Life;
  readonly random: Random;
  readonly lostReplyPerMille: () => number;
  readonly mark: (name: string) => void;
}

/** One call of a client to one member. */
export class Rpc {
  readonly #parts: RpcParts;
  readonly #events: RpcEvents;
  readonly #process: SimProcess;
  readonly #life: Life | null;
  #call: SimCall | null = null;
  #isOver = false;
  #lastThere = 0;
  #lastBack = 0;

  constructor(parts: RpcParts, process: SimProcess, path: string, events: RpcEvents) {
    this.#parts = parts;
    this.#events = events;
    this.#process = process;
    this.#life = process.life;
    this.#there((method) => {
      const call = new SimCall({
        message: (bytes) => {
          this.#back(() => {
            events.message(bytes);
          });
        },
        finish: (code, message) => {
          this.#back(() => {
            this.#end(code, message);
          });
        },
      });
      this.#call = call;
      method.open?.(call);
    }, path);
  }

  send(bytes: Uint8Array, isLast: boolean): void {
    this.#there((method) => {
      const call = this.#call;
      if (call === null || call.done) return;
      method.message(call, bytes);
      if (isLast) method.halfClosed?.(call);
    });
  }

  /** The client gives up: it hears nothing any more. */
  cancel(): void {
    this.#isOver = true;
    this.#there((method) => {
      this.#call?.cancelBy(method);
    });
  }

  #path = "";

  #there(run: (method: GrpcMethod) => void, path = this.#path): void {
    this.#path = path;
    const { scheduler, world } = this.#parts;
    const at = Math.max(this.#lastThere, scheduler.now + this.#delay());
    this.#lastThere = at;
    scheduler.after(at - scheduler.now, world, () => {
      const { life, methods } = this.#process;
      const method = methods?.get(path);
      if (life === null || life !== this.#life || !life.isAlive || method === undefined) {
        this.#back(() => {
          this.#end(statusUnavailable, "connection refused");
        });
        return;
      }
      scheduler.after(0, life, () => {
        run(method);
      });
    });
  }

  #back(run: () => void): void {
    const { scheduler, world, random, lostReplyPerMille, mark } = this.#parts;
    const at = Math.max(this.#lastBack, scheduler.now + this.#delay());
    this.#lastBack = at;
    const isLost = random.below(1000) < lostReplyPerMille();
    scheduler.after(at - scheduler.now, world, () => {
      if (this.#isOver) return;
      if (!isLost) run();
      else {
        mark("client.lost-reply");
        this.#end(statusUnavailable, "connection lost");
        this.cancel();
      }
    });
  }

  #delay(): number {
    return 0.1 + this.#parts.random.below(1000) / 500;
  }

  #end(code: number, message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.end(code, message);
  }
}

interface Outputs {
  message(bytes: Uint8Array): void;
  finish(code: number, message: string): void;
}

class SimCall implements GrpcCall {
  state: unknown = null;
  done = false;
  readonly connectionId = 1;
  readonly remote = "client";
  readonly commonName = "";
  readonly pendingBytes = 0;
  readonly #outputs: Outputs;

  constructor(outputs: Outputs) {
    this.#outputs = outputs;
  }

  metadata(): undefined {
    return undefined;
  }

  reply(bytes: Uint8Array, start: number, end: number): void {
    this.send(bytes, start, end);
    this.finish(0, "");
  }

  replyParts(parts: readonly Uint8Array[], totalBytes: number, released?: () => void): void {
    this.sendParts(parts, totalBytes);
    this.finish(0, "");
    released?.();
  }

  send(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.done) this.#outputs.message(bytes.slice(start, end));
    return true;
  }

  sendParts(parts: readonly Uint8Array[], totalBytes: number): boolean {
    const whole = new Uint8Array(totalBytes);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return this.send(whole, 0, totalBytes);
  }

  finish(code: number, message: string): void {
    if (this.done) return;
    this.done = true;
    this.#outputs.finish(code, message);
  }

  cancelBy(method: GrpcMethod): void {
    if (this.done) return;
    this.done = true;
    method.cancelled?.(this);
  }
}
