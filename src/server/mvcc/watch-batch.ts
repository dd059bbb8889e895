import type { HistorySource } from "./types.ts";
import type { SharedEvent } from "./watch-events.ts";

/** Which events a watcher leaves out, and in which form it gets the others: one of 8. */
export const watchVariant = { noPut: 1, noDelete: 2, prevKv: 4 } as const;

const noChunks: readonly Uint8Array[] = [];

/** The events of one response; watchers of one variant that stand at one place share it. */
export class Portion {
  readonly events: readonly SharedEvent[];
  /** What `events` were chosen from: fromRevision <= revision < endRevision. */
  readonly fromRevision: number;
  readonly endRevision: number;
  private encoded: readonly Uint8Array[] | null = null;

  constructor(events: readonly SharedEvent[], fromRevision: number, endRevision: number) {
    this.events = events;
    this.fromRevision = fromRevision;
    this.endRevision = endRevision;
    if (events.length === 0) this.encoded = noChunks;
  }

  /** Whole `events` fields; the same array every time, so that the output can reuse its layout. */
  chunks(variant: number, source: HistorySource): readonly Uint8Array[] {
    if (this.encoded !== null) return this.encoded;
    const isWithPrev = (variant & watchVariant.prevKv) !== 0;
    this.encoded = this.events.map((one) => (isWithPrev ? one.withPrev(source) : one.plain()));
    return this.encoded;
  }
}

/** Events for all watchers of one range, in order. What a watcher gets of it is decided once. */
export class EventBatch {
  private readonly events: SharedEvent[] = [];
  /** By variant: the portion asked for last. */
  private readonly portions: (Portion | null)[] = [null, null, null, null, null, null, null, null];
  private firstRevision = 0;

  /** Before the first `portion`. */
  add(shared: SharedEvent): void {
    if (this.events.length === 0) this.firstRevision = shared.event.modRevision;
    this.events.push(shared);
  }

  /** Revision of the first event not below `revision`; `revision` itself when there is none. */
  firstFrom(revision: number): number {
    if (revision <= this.firstRevision) return this.firstRevision;
    for (const { event } of this.events) {
      if (event.modRevision >= revision) return event.modRevision;
    }
    return revision;
  }

  /**
   * Where a response stops that begins at `from`: the first revision after `bytesTarget` bytes of
   * key-values, at most `end`.
   */
  endFor(from: number, end: number, bytesTarget: number): number {
    let bytes = 0;
    let last = 0;
    for (const { event } of this.events) {
      if (event.modRevision < from) continue;
      if (bytes >= bytesTarget && event.modRevision > last) return Math.min(event.modRevision, end);
      bytes += event.kv.length;
      last = event.modRevision;
    }
    return end;
  }

  /** What passes the filters and was not delivered before (W2, W7 of the watchable store). */
  portion(variant: number, nextRevision: number, endRevision: number): Portion {
    const from = nextRevision <= this.firstRevision ? 0 : nextRevision;
    const known = this.portions[variant];
    if (known?.fromRevision === from && known.endRevision === endRevision) return known;
    const unwanted = { put: variant & watchVariant.noPut, del: variant & watchVariant.noDelete };
    const chosen = this.events.filter(({ event }) => {
      if (event.modRevision < from || event.modRevision >= endRevision) return false;
      return (event.isDelete ? unwanted.del : unwanted.put) === 0;
    });
    const portion = new Portion(chosen, from, endRevision);
    this.portions[variant] = portion;
    return portion;
  }
}
