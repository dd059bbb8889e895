import type { HistorySource } from "./types.ts";
import type { Portion } from "./watch-batch.ts";
import type { Watcher } from "./watcher.ts";

/** Bytes a response has besides its events when fragments are counted: header, id and flag. */
const headBytesMax = 64;

/** Turns what a watcher is to get into responses. */
export class WatchSender {
  /** Events and responses since start. */
  readonly counters = { events: 0, responses: 0 };
  private readonly source: HistorySource;
  private readonly fragmentBytes: number;

  constructor(source: HistorySource, fragmentBytes: number) {
    this.source = source;
    this.fragmentBytes = fragmentBytes;
  }

  /** False: the stream is over its bound. */
  send(watcher: Watcher, portion: Portion): boolean {
    const chunks = portion.chunks(watcher.variant, this.source);
    this.counters.events += chunks.length;
    watcher.sentSinceTick = true;
    const revision = this.source.currentRevision;
    if (watcher.fragment && chunks.length > 1) return this.sendFragments(watcher, chunks, revision);
    this.counters.responses++;
    return watcher.stream.output.events(watcher.id, revision, chunks, false);
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
