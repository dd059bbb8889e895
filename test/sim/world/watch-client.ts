/** A client that watches, and goes on where it was when its stream breaks. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { fromBinaryString } from "../../../src/base/bytes.ts";
import * as rpc from "../../../src/gen/rpc_pb.js";
import type { SeenResponse, WatchRecord } from "../../model/watch-rules.ts";
import type { ClientParts } from "./kv-client.ts";
import { Rpc } from "./rpc.ts";
import { seenOf } from "../../model/seen-response.ts";

export class WatchClient {
  readonly #parts: ClientParts;
  readonly #name: string;
  readonly #range: Pick<WatchRecord, "start" | "end" | "prevKv">;
  #count = 0;
  #rpc: Rpc | null = null;
  #responses: SeenResponse[] | null = null;
  /** Where the next stream begins; 0: from now on. */
  #next = 0;
  /** The newest revision heard of on the running stream. */
  seen = 0;
  isStopped = false;

  constructor(parts: ClientParts, name: string) {
    this.#parts = parts;
    this.#name = name;
    const { random, options } = parts;
    const key = `k${random.below(options.keys)}`;
    const range = random.below(2) === 0 ? { start: "a", end: "z" } : { start: key, end: undefined };
    this.#range = { ...range, prevKv: random.below(2) === 0 };
  }

  start(): void {
    if (this.isStopped) return;
    const { random, scheduler, world, recorder, members } = this.#parts;
    const all = members();
    const target = all[random.below(all.length)]!;
    const request = {
      ...{ ...this.#range, name: `${this.#name}.${++this.#count}`, startRevision: this.#next },
      ...{ noPut: false, noDelete: false, fragment: false },
    };
    const responses = recorder.watch(request);
    this.#responses = responses;
    const stream = new Rpc(this.#parts, target, "/etcdserverpb.Watch/Watch", {
      message: (bytes) => {
        if (this.#rpc === stream)
          this.#heard(responses, fromBinary(rpc.WatchResponseSchema, bytes));
      },
      end: () => {
        if (this.#rpc === stream) this.#again();
      },
    });
    this.#rpc = stream;
    this.seen = 0;
    stream.send(createRequest(request), false);
    const life = target.life;
    // A client that hears nothing asks elsewhere; so does one whose member is gone.
    const look = (): void => {
      if (this.#rpc !== stream) return;
      if (target.life !== life || life === null || random.below(30) === 0) {
        stream.cancel();
        this.#again();
      } else {
        if (random.below(4) === 0) stream.send(progressRequest, false);
        scheduler.after(500 + random.below(1000), world, look);
      }
    };
    scheduler.after(500 + random.below(1000), world, look);
  }

  #again(): void {
    const { scheduler, world, random } = this.#parts;
    this.#rpc = null;
    // Nothing more is due on a stream that broke.
    if (this.#responses?.[0] !== undefined) {
      this.#responses.push({ kind: "canceled", revision: this.seen });
    }
    scheduler.after(10 + random.below(200), world, () => {
      this.start();
    });
  }

  #heard(responses: SeenResponse[], response: rpc.WatchResponse): void {
    const seen = seenOf(response);
    responses.push(seen);
    if (seen.kind === "compacted") {
      this.#next = seen.compactRevision;
      this.#end();
      return;
    }
    this.seen = Math.max(this.seen, seen.revision);
    if (seen.kind === "created") {
      if (this.#next === 0) this.#next = seen.revision + 1;
      return;
    }
    if (seen.kind === "events") this.#next = seen.events.at(-1)!.revision + 1;
    if (seen.kind === "progress") this.#next = Math.max(this.#next, seen.revision + 1);
    if (seen.kind === "canceled") this.#end();
  }

  /** The member ended the watch. */
  #end(): void {
    this.#rpc!.cancel();
    this.#responses = null;
    this.#again();
  }
}

function createRequest(watch: Omit<WatchRecord, "responses">): Uint8Array {
  const { start, end, startRevision, prevKv } = watch;
  const value = {
    key: fromBinaryString(start),
    rangeEnd: fromBinaryString(end ?? ""),
    startRevision: BigInt(startRevision),
    prevKv,
  };
  const requestUnion = { case: "createRequest", value } as const;
  return toBinary(rpc.WatchRequestSchema, create(rpc.WatchRequestSchema, { requestUnion }));
}

const progressRequest = toBinary(
  rpc.WatchRequestSchema,
  create(rpc.WatchRequestSchema, { requestUnion: { case: "progressRequest", value: {} } }),
);
