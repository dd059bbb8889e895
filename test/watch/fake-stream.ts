import { toBinaryString } from "../../src/base/bytes.ts";
import { decodeKeyValue } from "../../src/codec/kv.ts";
import type { WatchCreateRequest } from "../../src/codec/messages.ts";
import type { WatchOutput } from "../../src/server/mvcc/watcher.ts";
import type { SeenEvent, SeenResponse } from "../model/watch-rules.ts";

export interface PlainKv {
  key: string;
  value: string;
  mod: number;
}

/** Reads the KeyValue bytes of the store in use. */
export type ReadKv = (bytes: Uint8Array) => PlainKv;

/** A client stream that takes `bound` messages before it calls itself full. */
export class FakeStream implements WatchOutput {
  readonly byId = new Map<number, SeenResponse[]>();
  readonly refusals: { reason: string; revision: number }[] = [];
  bound: number;
  pending = 0;
  private inFragment = false;
  private readonly readKv: ReadKv;

  constructor(bound = Infinity, readKv: ReadKv = readFakeKv) {
    this.bound = bound;
    this.readKv = readKv;
  }

  created(watchId: number, revision: number): boolean {
    return this.take(watchId, { kind: "created", revision });
  }

  refused(reason: string, revision: number): boolean {
    this.refusals.push({ reason, revision });
    return ++this.pending < this.bound;
  }

  events(
    watchId: number,
    revision: number,
    chunks: readonly Uint8Array[],
    fragment: boolean,
  ): boolean {
    const isOver = this.pending >= this.bound && !this.inFragment;
    if (isOver) throw new Error("events for a stream over its bound");
    this.inFragment = fragment;
    const events = chunks.map((chunk) => decodeEvent(chunk, this.readKv));
    return this.take(watchId, { kind: "events", revision, events, fragment });
  }

  progress(watchId: number, revision: number): boolean {
    return this.take(watchId, { kind: "progress", revision });
  }

  canceled(watchId: number, revision: number): boolean {
    return this.take(watchId, { kind: "canceled", revision });
  }

  compacted(watchId: number, compactRevision: number): boolean {
    return this.take(watchId, { kind: "compacted", compactRevision });
  }

  /** What one watch received. */
  of(watchId: number): SeenResponse[] {
    const list = this.byId.get(watchId) ?? [];
    this.byId.set(watchId, list);
    return list;
  }

  /** Its events in short form: "put a@2", "del a@3". */
  eventsOf(watchId: number): string[] {
    return this.of(watchId).flatMap((one) =>
      one.kind === "events"
        ? one.events.map((e) => `${e.isDelete ? "del" : "put"} ${e.key}@${e.revision}`)
        : [],
    );
  }

  private take(watchId: number, response: SeenResponse): boolean {
    this.of(watchId).push(response);
    return ++this.pending < this.bound;
  }
}

function decodeEvent(chunk: Uint8Array, readKv: ReadKv): SeenEvent {
  const reader = { bytes: chunk, at: 0 };
  if (varint(reader) !== 0x5a || varint(reader) !== chunk.length - reader.at)
    throw new Error("bad");
  let isDelete = false;
  let kv: PlainKv = { key: "", value: "", mod: 0 };
  let prev: string | undefined;
  while (reader.at < chunk.length) {
    const tag = varint(reader);
    if (tag === 0x08) isDelete = varint(reader) === 1;
    else if (tag === 0x12) kv = readKv(block(reader));
    else if (tag === 0x1a) prev = readKv(block(reader)).value;
    else throw new Error(`unknown tag ${tag}`);
  }
  return { revision: kv.mod, key: kv.key, isDelete, value: kv.value, prev };
}

function readFakeKv(bytes: Uint8Array): PlainKv {
  const { key, value, modRevision } = decodeKeyValue(bytes);
  return { key: toBinaryString(key), value: toBinaryString(value), mod: modRevision };
}

interface Reader {
  bytes: Uint8Array;
  at: number;
}

function varint(reader: Reader): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = reader.bytes[reader.at++]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

function block(reader: Reader): Uint8Array {
  const length = varint(reader);
  reader.at += length;
  return reader.bytes.subarray(reader.at - length, reader.at);
}

export type CreateOptions = Partial<WatchCreateRequest>;

export function createRequest(
  key: Uint8Array,
  rangeEnd: Uint8Array,
  options: CreateOptions = {},
): WatchCreateRequest {
  return {
    startRevision: 0,
    progressNotify: false,
    noPut: false,
    noDelete: false,
    prevKv: false,
    watchId: 0,
    fragment: false,
    ...options,
    key,
    rangeEnd,
  };
}
