import { assert } from "../../base/assert.ts";
import type { HistorySource } from "./types.ts";
import type { SharedEvent } from "./watch-events.ts";

/** Which events a watcher leaves out, and in which form it gets the others: one of 8. */
export const watchVariant = { noPut: 1, noDelete: 2, prevKv: 4 } as const;

const noChunks: readonly Uint8Array[] = [];

/** The events of one response; watchers of one variant that stand at one place share it. */
export class Portion {
  readonly events: readonly SharedEvent[];
  /** Collecting stopped at this revision, for size; 0 = it did not. */
  readonly stoppedAt: number;
  /** What `events` were chosen from: all that are not older. */
  readonly fromRevision: number;
  private encoded: readonly Uint8Array[] | null = null;

  constructor(events: readonly SharedEvent[], stoppedAt: number, fromRevision: number) {
    this.events = events;
    this.stoppedAt = stoppedAt;
    this.fromRevision = fromRevision;
    if (events.length === 0) this.encoded = noChunks;
  }

  get firstRevision(): number {
    const first = this.events[0];
    assert(first !== undefined, "an empty portion has no revision");
    return first.event.modRevision;
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
  private readonly bytesTarget: number;

  /** @param bytesTarget a portion stops growing at the next revision, bytes of key-values */
  constructor(bytesTarget: number) {
    this.bytesTarget = bytesTarget;
  }

  /** Before the first `portion`. */
  add(shared: SharedEvent): void {
    if (this.events.length === 0) this.firstRevision = shared.event.modRevision;
    this.events.push(shared);
  }

  /** What passes the filters and was not delivered before (W2, W7 of the watchable store). */
  portion(variant: number, nextRevision: number): Portion {
    const from = nextRevision <= this.firstRevision ? 0 : nextRevision;
    const known = this.portions[variant];
    if (known?.fromRevision === from) return known;
    const portion = this.choose(variant, from);
    this.portions[variant] = portion;
    return portion;
  }

  private choose(variant: number, from: number): Portion {
    const chosen: SharedEvent[] = [];
    let bytes = 0;
    let last = 0;
    for (const shared of this.events) {
      const { modRevision, isDelete, kv } = shared.event;
      const unwanted = isDelete ? watchVariant.noDelete : watchVariant.noPut;
      if (modRevision < from || (variant & unwanted) !== 0) continue;
      if (bytes >= this.bytesTarget && modRevision > last) {
        return new Portion(chosen, modRevision, from);
      }
      chosen.push(shared);
      bytes += kv.length;
      last = modRevision;
    }
    return new Portion(chosen, 0, from);
  }
}
