import { assert, must } from "../../base/assert.ts";
import type { Clock, Done, Timer, Turn } from "../../base/ports.ts";
import type { ImageBackend, ImageExport } from "../backend/image.ts";
import { snapshotInfo } from "./info.ts";
import type { Snapshots, SnapshotInfo, SnapshotStream } from "./snapshot.ts";

/** Bounds of snapshots on their way out. */
export interface SnapshotLimits {
  /** Views open at the same time; who asks beyond that waits, and waits together. */
  readonly exportsMax: number;
  /** A reader that leaves a piece untaken for so long is given up. */
  readonly stallMs: number;
  /** No view is open longer: while it is, the database keeps every page it shows. */
  readonly durationMsMax: number;
}

const snapshotLimits: SnapshotLimits = {
  exportsMax: 2,
  stallMs: 60_000,
  durationMsMax: 3_600_000,
};

export interface SnapshotsDeps {
  readonly backend: ImageBackend;
  /** The writer of the backend's rows. */
  readonly writer: { commit(done: () => void): void; readonly durableIndex: number };
  readonly clock: Clock;
  readonly turn: Turn;
  readonly limits?: SnapshotLimits;
}

/**
 * SN1  A view is opened behind a forced commit: it shows everything that was applied when the
 *      snapshot was asked for.
 * SN2  Readers of one view get the same pieces in step; it is joined only before its first piece.
 * SN3  Every view ends: with its last reader, by stalling, by its deadline, or with the member.
 * SN4  Only a view that a member reads holds back the log: a slow backup costs no memory.
 */
export class SnapshotExports implements Snapshots {
  readonly #deps: SnapshotsDeps;
  readonly #limits: SnapshotLimits;
  readonly #active = new Set<SharedExport>();
  /** May be joined still: not begun, opening, or open with nothing read (SN2). */
  #joinable: SharedExport | null = null;
  #isClosed = false;

  constructor(deps: SnapshotsDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? snapshotLimits;
  }

  get oldestIndex(): number {
    let oldest = Infinity;
    for (const { index, isForMember } of this.#active) {
      if (isForMember) oldest = Math.min(oldest, index); // SN4
    }
    return oldest;
  }

  open(done: Done<SnapshotStream>, isForMember = false): void {
    if (this.#isClosed) {
      this.#deps.turn.next(() => {
        done(errClosed, null as unknown as SnapshotStream);
      });
      return;
    }
    if (this.#joinable === null) {
      this.#joinable = new SharedExport(this.#deps, this.#limits, {
        begun: (shared) => {
          if (this.#joinable === shared) this.#joinable = null;
        },
        ended: (shared) => {
          this.#ended(shared);
        },
      });
      this.#start();
    }
    if (isForMember) this.#joinable.isForMember = true;
    this.#joinable.join(done);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const all = [...this.#active];
    if (this.#joinable !== null && !this.#active.has(this.#joinable)) all.push(this.#joinable);
    for (const shared of all) shared.fail(errClosed);
  }

  #start(): void {
    const waiting = this.#joinable;
    if (waiting === null || this.#active.has(waiting)) return;
    if (this.#active.size >= this.#limits.exportsMax) return;
    this.#active.add(waiting);
    waiting.start();
  }

  #ended(shared: SharedExport): void {
    if (this.#joinable === shared) this.#joinable = null;
    this.#active.delete(shared);
    if (!this.#isClosed) this.#start();
  }
}

const errClosed = new Error("Cannot give out a snapshot: the member is closing");
const errStalled = new Error("Cannot go on with the snapshot: its reader was too slow");
const errDeadline = new Error("Cannot go on with the snapshot: it takes too long");

interface SharedEvents {
  /** Its first piece is being read. */
  begun(shared: SharedExport): void;
  /** Its view is closed. */
  ended(shared: SharedExport): void;
}

/** One view with its readers. */
class SharedExport {
  readonly #deps: SnapshotsDeps;
  readonly #limits: SnapshotLimits;
  readonly #events: SharedEvents;
  /** Entries up to here are in the view. */
  index = 0;
  isForMember = false;
  readonly #opening: Done<SnapshotStream>[] = [];
  readonly #readers = new Set<Reader>();
  #made: ImageExport | null = null;
  #info: SnapshotInfo | null = null;
  #isReading = false;
  #isEnded = false;
  #stall: Timer | null = null;
  #deadline: Timer | null = null;

  constructor(deps: SnapshotsDeps, limits: SnapshotLimits, events: SharedEvents) {
    this.#deps = deps;
    this.#limits = limits;
    this.#events = events;
  }

  start(): void {
    const { writer, backend, clock } = this.#deps;
    this.index = writer.durableIndex;
    this.#deadline = clock.after(this.#limits.durationMsMax, () => {
      this.fail(errDeadline); // SN3
    });
    writer.commit(() => {
      if (this.#isEnded) return;
      this.index = writer.durableIndex; // SN1
      backend.exportImage((error, made) => {
        this.#opened(error, made);
      });
    });
  }

  join(done: Done<SnapshotStream>): void {
    this.#opening.push(done);
    if (this.#made === null) return;
    this.#deps.turn.next(() => {
      this.#welcome();
    });
  }

  #opened(error: Error | null, made: ImageExport): void {
    if (this.#isEnded) {
      if (error === null) made.close();
      return;
    }
    if (error !== null) {
      this.fail(error);
      return;
    }
    this.#made = made;
    try {
      this.#info = snapshotInfo(made.head);
    } catch (cause) {
      this.fail(cause as Error);
      return;
    }
    this.#armStall();
    this.#welcome();
  }

  #welcome(): void {
    const made = this.#made;
    if (made === null) return;
    for (const done of this.#opening.splice(0)) {
      const reader = new Reader(must(this.#info), made, this.#deps.turn, () => {
        this.#step();
      });
      this.#readers.add(reader);
      done(null, reader);
    }
  }

  /** A reader asked for the next piece, or left. */
  #step(): void {
    for (const reader of this.#readers) if (reader.isClosed) this.#readers.delete(reader);
    if (this.#readers.size === 0 && this.#opening.length === 0) {
      this.#end();
      return;
    }
    if (this.#isReading || this.#readers.size === 0) return;
    for (const reader of this.#readers) if (reader.reading === null) return;
    if (this.#opening.length > 0) return; // they are let in this turn
    this.#isReading = true;
    this.#events.begun(this);
    must(this.#made).read((error, piece) => {
      this.#isReading = false;
      if (this.#isEnded) return;
      if (error !== null) {
        this.fail(error);
        return;
      }
      this.#armStall();
      // All are taken before one is told, who may ask for the next piece at once.
      const told = Array.from(this.#readers, (reader) => reader.take());
      for (const tell of told) tell?.(null, piece);
    });
  }

  #armStall(): void {
    this.#stall?.cancel();
    this.#stall = this.#deps.clock.after(this.#limits.stallMs, () => {
      this.#armStall();
      if (this.#isReading) return;
      for (const reader of this.#readers) if (reader.reading === null) reader.fail(errStalled);
      this.#step(); // SN3
    });
  }

  fail(error: Error): void {
    if (this.#isEnded) return;
    const [opening, readers] = [this.#opening.splice(0), [...this.#readers]];
    this.#readers.clear();
    this.#end();
    for (const done of opening) done(error, null as unknown as SnapshotStream);
    for (const reader of readers) reader.fail(error);
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#stall?.cancel();
    this.#deadline?.cancel();
    this.#made?.close();
    this.#events.ended(this);
  }
}

/** One who reads a shared snapshot. */
class Reader implements SnapshotStream {
  readonly info: SnapshotInfo;
  readonly #made: ImageExport;
  readonly #turn: Turn;
  readonly #changed: () => void;
  reading: Done<Uint8Array | null> | null = null;
  isClosed = false;
  #error: Error | null = null;

  constructor(info: SnapshotInfo, made: ImageExport, turn: Turn, changed: () => void) {
    this.info = info;
    this.#made = made;
    this.#turn = turn;
    this.#changed = changed;
  }

  get sizeBytes(): number {
    return this.#made.sizeBytes;
  }

  get sha256(): Uint8Array | null {
    return this.#made.sha256;
  }

  read(done: Done<Uint8Array | null>): void {
    assert(this.reading === null, "two reads of a snapshot at once");
    const error = this.#error;
    if (error !== null) {
      this.#turn.next(() => {
        done(error, null);
      });
      return;
    }
    assert(!this.isClosed, "read of a closed snapshot");
    this.reading = done;
    this.#changed();
  }

  /** Who waits for the next piece: not any more. */
  take(): Done<Uint8Array | null> | null {
    const { reading } = this;
    this.reading = null;
    return reading;
  }

  fail(error: Error): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#error = error;
    const { reading } = this;
    this.reading = null;
    reading?.(error, null);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.reading = null;
    this.#changed();
  }
}
