/**
 * Judges what watches received against the true history (reference: reliability promises W1..W7).
 *
 * W1  ordered     revisions ascend, transaction order within one
 * W2  unique      no event twice
 * W3  reliable    what was received is a gapless prefix of what was due
 * W4  atomic      a revision is not split over responses, but for fragments of one response
 * W5  resumable   a watch that cannot be served says so with the compact revision
 * W6  bookmark    a notice at R comes after everything up to R
 * W7  right       only what matches range and filters; prev_kv is the value right before
 */

/** One change as it really happened. Keys and values are binary strings. */
export interface TrueEvent {
  readonly revision: number;
  readonly key: string;
  readonly isDelete: boolean;
  readonly value: string;
  /** Value right before; null when the key did not exist. */
  readonly prev: string | null;
}

export interface SeenEvent {
  readonly revision: number;
  readonly key: string;
  readonly isDelete: boolean;
  readonly value: string;
  /** undefined when the event carries no prev_kv. */
  readonly prev: string | undefined;
}

export type SeenResponse =
  | { kind: "created"; revision: number }
  | { kind: "events"; revision: number; events: readonly SeenEvent[]; fragment: boolean }
  | { kind: "progress"; revision: number }
  | { kind: "canceled"; revision: number }
  | { kind: "compacted"; compactRevision: number };

export interface WatchRecord {
  readonly name: string;
  readonly start: string;
  /** undefined: the single key; null: no end. */
  readonly end: string | null | undefined;
  /** As requested; 0 = from the created response on. */
  readonly startRevision: number;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  readonly fragment: boolean;
  readonly responses: readonly SeenResponse[];
}

export interface Truth {
  /** In order of revision and position in the transaction. */
  readonly events: readonly TrueEvent[];
  readonly compactRevision: number;
  /** Every watch that did not end was given time to see up to here; 0 = unknown. */
  readonly settledRevision: number;
}

/** The violations, one text each; none for a correct history. */
export function checkWatch(truth: Truth, watch: WatchRecord): string[] {
  const checker = new Checker(truth, watch);
  for (const response of watch.responses) checker.step(response);
  checker.end();
  return checker.violations;
}

class Checker {
  readonly violations: string[] = [];
  private readonly truth: Truth;
  private readonly watch: WatchRecord;
  private due: TrueEvent[] = [];
  private seen = 0;
  private isCreated = false;
  private isEnded = false;
  private inFragment = false;
  private lastRevision = 0;
  private headerRevision = 0;

  constructor(truth: Truth, watch: WatchRecord) {
    this.truth = truth;
    this.watch = watch;
  }

  step(response: SeenResponse): void {
    if (this.isEnded) this.fail(`${response.kind} after the end`);
    if (response.kind === "created") {
      this.created(response.revision);
      return;
    }
    if (!this.isCreated) this.fail(`${response.kind} before created`);
    if (this.inFragment && response.kind !== "events") this.fail("W4: notice inside fragments");
    if (response.kind === "compacted") this.compacted(response.compactRevision);
    else {
      if (response.revision < this.headerRevision) this.fail("header revision fell");
      this.headerRevision = response.revision;
      if (response.kind === "events") this.events(response);
      else if (response.kind === "progress") this.delivered(response.revision, "W6");
      else this.isEnded = true;
    }
  }

  end(): void {
    if (!this.isEnded && this.isCreated) this.delivered(this.truth.settledRevision, "W3");
    if (this.inFragment) this.fail("W4: last fragment is missing");
  }

  private created(revision: number): void {
    if (this.isCreated) this.fail("created twice");
    this.isCreated = true;
    this.headerRevision = revision;
    const from = this.watch.startRevision === 0 ? revision + 1 : this.watch.startRevision;
    this.due = this.truth.events.filter((e) => e.revision >= from && this.matches(e));
  }

  private matches({ key, isDelete }: TrueEvent): boolean {
    const { start, end, noPut, noDelete } = this.watch;
    if (isDelete ? noDelete : noPut) return false;
    if (end === undefined) return key === start;
    return start <= key && (end === null || key < end);
  }

  private events({ revision, events, fragment }: SeenResponse & { kind: "events" }): void {
    if (fragment && !this.watch.fragment) this.fail("fragment was not asked for");
    if (events.length === 0) this.fail("response without events");
    const first = events[0]?.revision ?? Infinity;
    if (!this.inFragment && first <= this.lastRevision) this.fail(`W4: ${first} split, or old`);
    for (const event of events) this.event(event, revision);
    this.inFragment = fragment;
  }

  private event(event: SeenEvent, headerRevision: number): void {
    const due = this.due[this.seen++];
    const got = `${event.isDelete ? "delete" : "put"} ${event.key}@${event.revision}`;
    if (event.revision > headerRevision) this.fail(`${got} is newer than its header`);
    this.lastRevision = event.revision;
    if (due === undefined) {
      this.fail(`W2/W7: ${got} was not due`);
      return;
    }
    const { revision, key, isDelete, value, prev } = due;
    if (revision !== event.revision || key !== event.key || isDelete !== event.isDelete) {
      this.fail(`W1/W2/W3: ${got}, due was ${isDelete ? "delete" : "put"} ${key}@${revision}`);
    } else if (value !== event.value) {
      this.fail(`W7: ${got} has another value`);
    }
    this.prev(got, event, prev);
  }

  private prev(got: string, event: SeenEvent, prev: string | null): void {
    if (event.prev !== undefined) {
      if (!this.watch.prevKv) this.fail(`W7: ${got} has prev_kv unasked`);
      if (event.prev !== prev) this.fail(`W7: ${got} has another prev_kv`);
    } else if (this.watch.prevKv && prev !== null) {
      const isCompacted = event.revision - 1 < this.truth.compactRevision;
      if (!isCompacted) this.fail(`W7: ${got} lacks prev_kv`);
    }
  }

  private compacted(compactRevision: number): void {
    this.isEnded = true;
    if (compactRevision > this.truth.compactRevision) this.fail("W5: compact revision is made up");
    if (this.lastRevision >= compactRevision) this.fail("W5: nothing compacted was needed");
    if (this.watch.startRevision >= compactRevision) this.fail("W5: start was not compacted");
  }

  private delivered(revision: number, rule: string): void {
    const next = this.due[this.seen];
    if (next !== undefined && next.revision <= revision) {
      this.fail(`${rule}: ${next.key}@${next.revision} missing at ${revision}`);
    }
  }

  private fail(text: string): void {
    this.violations.push(`${this.watch.name}: ${text}`);
  }
}
