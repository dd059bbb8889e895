import type { HistorySource } from "./types.ts";
import type { SharedEvent } from "./watch-events.ts";
import type { Watcher } from "./watcher.ts";

/** Bytes a response has besides its events when fragments are counted: header, id and flag. */
const headBytesMax = 64;

/**
 * Turns a watcher's pending events into responses. Watchers served one after the other with the
 * same events get the same array of chunks, so that the output can reuse what it laid out.
 */
export class WatchSender {
  /** Events and responses since start. */
  readonly counters = { events: 0, responses: 0 };
  private readonly source: HistorySource;
  private readonly fragmentBytes: number;
  private lastEvents: SharedEvent[] = [];
  private lastPrevKv = false;
  private lastChunks: Uint8Array[] = [];

  constructor(source: HistorySource, fragmentBytes: number) {
    this.source = source;
    this.fragmentBytes = fragmentBytes;
  }

  /** Sends and empties `watcher.pending`. False: the stream is over its bound. */
  send(watcher: Watcher): boolean {
    const { pending, stream } = watcher;
    const chunks = this.chunksOf(pending, watcher.prevKv);
    this.counters.events += pending.length;
    pending.length = 0;
    watcher.sentSinceTick = true;
    const revision = this.source.currentRevision;
    if (watcher.fragment && chunks.length > 1) return this.sendFragments(watcher, chunks, revision);
    this.counters.responses++;
    return stream.output.events(watcher.id, revision, chunks, false);
  }

  /** Lets go of the last events: call when a batch of watchers was served. */
  forget(): void {
    this.lastEvents.length = 0;
    this.lastChunks = [];
  }

  private chunksOf(events: readonly SharedEvent[], prevKv: boolean): readonly Uint8Array[] {
    if (this.lastPrevKv === prevKv && sameEvents(this.lastEvents, events)) return this.lastChunks;
    this.lastPrevKv = prevKv;
    this.lastEvents.length = 0;
    this.lastChunks = [];
    for (const event of events) {
      this.lastEvents.push(event);
      this.lastChunks.push(prevKv ? event.withPrev(this.source) : event.plain());
    }
    return this.lastChunks;
  }

  /** Every fragment holds as many events as fit below the limit, and at least one. */
  private sendFragments(
    watcher: Watcher,
    chunks: readonly Uint8Array[],
    revision: number,
  ): boolean {
    let from = 0;
    let bytes = headBytesMax;
    let isBelowBound = true;
    for (let i = 0; i < chunks.length; i++) {
      const size = chunks[i]!.length;
      if (i > from && bytes + size >= this.fragmentBytes) {
        isBelowBound = this.part(watcher, revision, chunks.slice(from, i), true) && isBelowBound;
        from = i;
        bytes = headBytesMax;
      }
      bytes += size;
    }
    const last = from === 0 ? chunks : chunks.slice(from);
    return this.part(watcher, revision, last, false) && isBelowBound;
  }

  private part(
    watcher: Watcher,
    revision: number,
    chunks: readonly Uint8Array[],
    fragment: boolean,
  ): boolean {
    this.counters.responses++;
    return watcher.stream.output.events(watcher.id, revision, chunks, fragment);
  }
}

function sameEvents(a: readonly SharedEvent[], b: readonly SharedEvent[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
