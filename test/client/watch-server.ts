// A server's part of a watch stream, played by a test.
import { utf8 } from "../../src/base/bytes.ts";
import { emptyHeader } from "../../src/codec/client/header.ts";
import { makeKeyValue } from "../../src/codec/client/key-value.ts";
import type { WatchCreate, WatchEvent } from "../../src/codec/client/watch.ts";
import type { WatchMessage, WatchResponse } from "../../src/codec/client/watch.ts";
import { WatchArea } from "../../src/client/watch/watch-area.ts";
import { HandClock, ScriptedCaller, type ScriptedStream } from "./scripted-caller.ts";

export function put(key: string, revision: number, value = `v${revision}`): WatchEvent {
  const numbers = { createRevision: revision, modRevision: revision, version: 1, lease: 0n };
  return {
    type: "put",
    kv: makeKeyValue(utf8(key), utf8(value), numbers),
    prevKv: null,
    isCreate: true,
  };
}

export function response(watchId: number, revision: number): WatchResponse {
  return {
    header: { ...emptyHeader, revision },
    watchId,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: false,
    events: [],
    sizeBytes: 100,
  };
}

/** A WatchArea over a scripted transport. */
export class WatchRig {
  readonly caller = new ScriptedCaller();
  readonly clock = new HandClock();
  readonly area = new WatchArea(this.caller, this.clock, () => 1);

  get stream(): ScriptedStream<WatchMessage, WatchResponse> {
    return this.caller.stream<WatchMessage, WatchResponse>();
  }

  /** The creations asked for on the newest stream. */
  get creates(): WatchCreate[] {
    return this.stream.sent.flatMap((one) => (one.kind === "create" ? [one.create] : []));
  }

  get cancels(): number[] {
    return this.stream.sent.flatMap((one) => (one.kind === "cancel" ? [one.watchId] : []));
  }

  created(watchId: number, revision = 10): void {
    this.stream.answer({ ...response(watchId, revision), created: true });
  }

  events(watchId: number, ...events: readonly WatchEvent[]): void {
    const revision = events.at(-1)?.kv.modRevision ?? 0;
    this.stream.answer({ ...response(watchId, revision), events });
  }

  /** Events in a message of this length. */
  sized(watchId: number, sizeBytes: number, ...events: readonly WatchEvent[]): void {
    const revision = events.at(-1)?.kv.modRevision ?? 0;
    this.stream.answer({ ...response(watchId, revision), events, sizeBytes });
  }

  fragment(watchId: number, ...events: readonly WatchEvent[]): void {
    this.stream.answer({ ...response(watchId, 20), events, fragment: true });
  }

  progress(watchId: number, revision: number): void {
    this.stream.answer(response(watchId, revision));
  }

  canceled(watchId: number, more: Partial<WatchResponse> = {}): void {
    this.stream.answer({ ...response(watchId, 0), canceled: true, ...more });
  }

  /** The stream breaks; the next one is there. */
  reconnect(error: Error): void {
    this.stream.fail(error);
    this.clock.advance(2_000);
  }
}
