// A client that watches, and goes on behind what it has when its stream breaks or stays silent.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { setTimeout as delay } from "node:timers/promises";

import { fromBinaryString } from "../../../src/base/bytes.ts";
import { Event_EventType } from "../../../src/gen/kv_pb.js";
import * as rpc from "../../../src/gen/rpc_pb.js";
import type { SeenResponse, WatchRecord } from "../../model/watch-rules.ts";
import { kvOf } from "../../sim/world/codec.ts";
import { count, type Client } from "./workload.ts";
import { seenOf } from "../../model/seen-response.ts";

const watchPath = "/etcdserverpb.Watch/Watch";
const silenceMsMax = 2_500;
const askEveryMs = 250;
const againMs = 100;
const leaveOneIn = 6;

export interface WatchSpec {
  readonly name: string;
  readonly start: string;
  /** As in WatchRecord. */
  readonly end: string | null | undefined;
  readonly noPut?: boolean;
  readonly noDelete?: boolean;
  readonly prevKv?: boolean;
  /** Each stream begins up to so many revisions before where the last one ended. */
  readonly stepBack?: number;
}

export class WatchClient {
  readonly #client: Client;
  readonly #spec: WatchSpec;
  readonly #isWitness: boolean;
  #stream: ReturnType<ReturnType<Client["connection"]>["stream"]> | null = null;
  #responses: SeenResponse[] = [];
  #count = 0;
  /** Where the next stream begins. 0: from now on. */
  #next: number;
  #heardAt = 0;
  /** The newest revision in a header of this stream. */
  #header = 0;
  /** The newest revision of which this watch has everything. */
  settled = 0;
  #isStopped = false;
  #isAfterCompaction = false;
  #ended: () => void = () => undefined;

  /** Watches of all keys without filters are witnesses of the truth. */
  constructor(client: Client, spec: WatchSpec, next: number) {
    this.#client = client;
    this.#spec = spec;
    this.#next = next;
    const isFiltered = spec.noPut === true || spec.noDelete === true;
    this.#isWitness = spec.end === null && !isFiltered;
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      const ended = new Promise<void>((resolve) => (this.#ended = resolve));
      this.#open();
      const timer = setInterval(() => {
        this.#look();
      }, askEveryMs);
      await ended;
      clearInterval(timer);
      await delay(againMs);
    }
  }

  /** Ends for good. What was due but not delivered counts, unless the stream had broken. */
  stop(): void {
    this.#isStopped = true;
    this.#close(false);
  }

  #open(): void {
    const endpoint = this.#client.pick();
    const { noPut = false, noDelete = false, prevKv = false, stepBack } = this.#spec;
    const { name, start, end } = this.#spec;
    const isBack = stepBack !== undefined && !this.#isAfterCompaction;
    const back = isBack ? this.#client.random.below(stepBack + 1) : 0;
    this.#isAfterCompaction = false;
    const startRevision = this.#next === 0 ? 0 : Math.max(1, this.#next - back);
    const watch = {
      ...{ name: `${name}.${++this.#count}@${endpoint}`, start, end, startRevision },
      ...{ noPut, noDelete, prevKv, fragment: false },
    };
    const responses = this.#client.workload.recorder.watch(watch);
    const stream = this.#client.connection(endpoint).stream(watchPath);
    this.#responses = responses;
    this.#stream = stream;
    this.#heardAt = this.#client.now;
    this.settled = 0;
    this.#header = 0;
    stream.on("data", (bytes: Buffer) => {
      if (this.#stream === stream) this.#heard(fromBinary(rpc.WatchResponseSchema, bytes));
    });
    const over = (): void => {
      if (this.#stream !== stream) return;
      this.#client.shun(endpoint);
      this.#close(true);
    };
    stream.on("error", over);
    stream.on("end", over);
    stream.write(createRequest(watch));
  }

  /** A stream that stays silent is given up; asked for progress an idle one is not silent. */
  #look(): void {
    if (this.#stream === null) return;
    const { random, workload, now } = this.#client;
    const isRestless = this.#spec.stepBack !== undefined && !workload.isStopped;
    const isLeft = isRestless && random.below(leaveOneIn) === 0;
    if (isLeft || now - this.#heardAt > silenceMsMax) this.#close(true);
    else this.#stream.write(progressRequest);
  }

  #close(isBroken: boolean): void {
    const stream = this.#stream;
    this.#stream = null;
    // Nothing more is due on a stream that broke.
    if (isBroken && this.#responses.length > 0) {
      this.#responses.push({ kind: "canceled", revision: this.#header });
    }
    this.#responses = [];
    if (isBroken) count(this.#client.workload, "watch resume");
    stream?.cancel();
    this.#ended();
  }

  #heard(response: rpc.WatchResponse): void {
    this.#heardAt = this.#client.now;
    const seen = seenOf(response);
    if (seen.kind === "progress" && this.#responses.length === 0) return; // before created
    this.#responses.push(seen);
    this.#header = Number(response.header?.revision ?? 0n);
    if (seen.kind === "compacted") {
      this.#next = seen.compactRevision;
      this.#isAfterCompaction = true;
      count(this.#client.workload, "watch compacted");
      this.#end();
      return;
    }
    if (seen.kind === "created") {
      if (this.#next === 0) this.#next = seen.revision + 1;
      return;
    }
    if (seen.kind === "canceled") {
      this.#end();
      return;
    }
    if (seen.kind === "events") this.#events(seen, response);
    if (seen.kind === "progress") this.settled = Math.max(this.settled, seen.revision);
    this.#next = Math.max(this.#next, this.settled + 1);
  }

  #events(seen: SeenResponse & { kind: "events" }, response: rpc.WatchResponse): void {
    this.settled = Math.max(this.settled, seen.events.at(-1)?.revision ?? 0);
    count(this.#client.workload, "watch response");
    if (!this.#isWitness) return;
    const events = response.events.flatMap(({ type, kv }) => {
      const isDelete = type === Event_EventType.DELETE;
      return kv === undefined ? [] : [{ kv: kvOf(kv), isDelete }];
    });
    this.#client.workload.truth.report(this.#spec.name, events);
  }

  /** The member ended the watch. */
  #end(): void {
    this.#responses = [];
    this.#close(false);
  }
}

type WatchRequest = Omit<WatchRecord, "responses">;

function createRequest({ start, end, startRevision, ...watch }: WatchRequest): Buffer {
  const { NOPUT, NODELETE } = rpc.WatchCreateRequest_FilterType;
  const value = {
    key: fromBinaryString(start),
    rangeEnd: fromBinaryString(end === null ? "\0" : (end ?? "")),
    startRevision: BigInt(startRevision),
    prevKv: watch.prevKv,
    filters: [...(watch.noPut ? [NOPUT] : []), ...(watch.noDelete ? [NODELETE] : [])],
  };
  return encode({ requestUnion: { case: "createRequest", value } });
}

function encode(init: Parameters<typeof create<typeof rpc.WatchRequestSchema>>[1]): Buffer {
  return Buffer.from(toBinary(rpc.WatchRequestSchema, create(rpc.WatchRequestSchema, init)));
}

const progressRequest = encode({ requestUnion: { case: "progressRequest", value: {} } });
