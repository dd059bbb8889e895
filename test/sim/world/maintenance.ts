/** What operators and controllers do now and then: compact, defragment. */

import { create, toBinary } from "@bufbuild/protobuf";
import * as rpc from "../../../src/gen/rpc_pb.js";
import type { ClientParts } from "./kv-client.ts";
import type { SimProcess } from "./process.ts";
import { Rpc } from "./rpc.ts";

export class Maintenance {
  readonly #parts: ClientParts;
  #isStopped = false;

  constructor(parts: ClientParts) {
    this.#parts = parts;
  }

  start(): void {
    const { faults } = this.#parts.options;
    if (faults.has("compact")) this.#every(2000, () => this.#compact());
    if (faults.has("defragment")) this.#every(10_000, () => this.#defragment());
  }

  stop(): void {
    this.#isStopped = true;
  }

  #every(meanMs: number, run: () => void): void {
    const { scheduler, world, random } = this.#parts;
    scheduler.after(random.below(2 * meanMs), world, () => {
      if (this.#isStopped) return;
      run();
      this.#every(meanMs, run);
    });
  }

  #compact(): void {
    const { random, mark } = this.#parts;
    const target = this.#target();
    const current = target.core?.state.store.currentRevision ?? 1;
    const revision = BigInt(Math.max(1, current - random.below(30)));
    const physical = random.below(2) === 0;
    const message = create(rpc.CompactionRequestSchema, { revision, physical });
    const bytes = toBinary(rpc.CompactionRequestSchema, message);
    this.#send(target, "/etcdserverpb.KV/Compact", bytes, () => {
      mark("compacted");
    });
  }

  #defragment(): void {
    const bytes = toBinary(rpc.DefragmentRequestSchema, create(rpc.DefragmentRequestSchema));
    this.#send(this.#target(), "/etcdserverpb.Maintenance/Defragment", bytes, () => {
      this.#parts.mark("defragmented");
    });
  }

  #target(): SimProcess {
    const members = this.#parts.members();
    return members[this.#parts.random.below(members.length)]!;
  }

  #send(target: SimProcess, path: string, bytes: Uint8Array, done: () => void): void {
    const call = new Rpc(this.#parts, target, path, {
      message: done,
      end: () => undefined,
    });
    call.send(bytes, true);
  }
}
