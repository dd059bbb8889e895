/**
 * Every door to the world. The core (raft, WAL, state machine, HTTP/2) takes these as arguments, so
 * a whole member runs deterministically in one process. Real adapters live in `src/io`, simulated
 * ones in `test/sim`.
 */

/** Completion of an asynchronous operation: exactly once, never before the call returned. */
export type Done<T = void> = (error: Error | null, value: T) => void;

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds, fractional; never goes back. */
  now(): number;
  /** Wall clock, milliseconds since the Unix epoch. */
  wall(): number;
  /** Runs once after `delayMs` (>= 0) unless cancelled. Does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
}

/** The event-loop turn: where batches close and outputs are flushed. */
export interface Turn {
  /**
   * Runs at the end of the current turn, in order of registration; may register more for the same
   * turn.
   */
  atEnd(run: () => void): void;
  /**
   * Runs in the current turn once nothing given to atEnd is left: outputs are flushed here, so that
   * all that a turn writes leaves at once. Work it registers runs in the same turn, too.
   */
  atFlush(run: () => void): void;
  /** Runs in the next turn, after pending input was read: how long work yields between slices. */
  next(run: () => void): void;
}

export interface File {
  size(done: Done<number>): void;
  /** Reads up to `length` bytes; fewer only at the end of the file. */
  read(at: number, length: number, done: Done<Uint8Array>): void;
  write(at: number, bytes: Uint8Array, done: Done): void;
  /** One write that is on stable storage when done. `bytes` must not change until then. */
  writeDurable(at: number, bytes: Uint8Array, done: Done): void;
  /** As writeDurable, but blocks; throws on failure. For the idle case, where a hop costs more. */
  writeDurableNow(at: number, bytes: Uint8Array): void;
  sync(done: Done): void;
  truncate(size: number, done: Done): void;
  close(done: Done): void;
}

export type OpenMode = "read" | "write" | "create";

export interface Disk {
  /**
   * "read": must exist; "write": must exist, read and write; "create": made if missing (mode 0600).
   */
  open(path: string, mode: OpenMode, done: Done<File>): void;
  list(directory: string, done: Done<string[]>): void;
  /** Creates the directory (mode 0700) and missing parents; no error if it exists. */
  mkdir(directory: string, done: Done): void;
  rename(from: string, to: string, done: Done): void;
  remove(path: string, done: Done): void;
  /** Makes creations, renames and removals in the directory durable. */
  syncDir(directory: string, done: Done): void;
}

export interface Random {
  u32(): number;
  /** Uniform in [0, n). */
  below(n: number): number;
  /** An independent stream: drawing from it does not shift this one. */
  fork(label: string): Random;
}

export interface Checksum {
  /** CRC-32 (IEEE), continued from `seed` (0 to start). */
  crc32(bytes: Uint8Array, seed: number): number;
  /** CRC-32C (Castagnoli), continued from `seed` (0 to start). */
  crc32c(bytes: Uint8Array, seed: number): number;
}
