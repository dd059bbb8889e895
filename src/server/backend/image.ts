import type { Done } from "../../base/ports.ts";

/**
 * The database file (bbolt, as etcd writes it) that a backend gives out and takes in. Both run off
 * the main thread.
 *
 * IF1  A file that is given out shows one moment: its rows and its head come from the same view.
 * IF2  A prepared environment is whole, verified and durable once it has its final name, and absent
 *      before. Several may exist; none is used before {@link ImageBackend.replace} or a restart.
 * IF3  Memory is bounded by a few pieces and the largest row, not by the size of the file.
 */

/** What the rows of a database file say about it. */
export interface ImageHead {
  /** meta/consistent_index; 0 when there is none. */
  readonly consistentIndex: number;
  /** meta/term; 0 when there is none. */
  readonly term: number;
  /** Main revision of the newest `key` row; 1 when there is none, as in an empty store. */
  readonly revision: number;
  /** meta/confState as it stands there, JSON; null when there is none. */
  readonly confState: Uint8Array | null;
  /** meta/storageVersion as it stands there; null when there is none. */
  readonly storageVersion: Uint8Array | null;
  /** Values of the `members` bucket in key order, JSON. */
  readonly members: readonly Uint8Array[];
  /** Keys of the `members_removed` bucket in order: ids in hexadecimal. */
  readonly removed: readonly Uint8Array[];
}

/** A database file being built. It holds a read view of the backend: close it, with a deadline. */
export interface ImageExport {
  readonly head: ImageHead;
  /** Length of the whole file. */
  readonly sizeBytes: number;
  /**
   * The next piece, 1 MiB at most; null after the last. One call at a time. The piece belongs to
   * the caller. After an error only {@link close} may be called.
   */
  read(done: Done<Uint8Array | null>): void;
  /** SHA-256 of the whole file, 32 bytes; null until `read` gave the null. */
  readonly sha256: Uint8Array | null;
  /** Ends the view. A `read` under way is not answered any more. More calls do nothing. */
  close(): void;
}

/** A database file being received, in order. After an error only {@link abort} may be called. */
export interface ImageImport {
  /** `bytes` must not change until `done`, which asks for the next piece. One call at a time. */
  write(bytes: Uint8Array, done: Done): void;
  /**
   * That was all: verifies the file and loads it into an environment at the path given, durable
   * when done (IF2). A damaged file is an error that says what is wrong; nothing is left of it.
   */
  end(done: Done<ImageHead>): void;
  /** Forgets what was received. `done` of a call under way does not come any more. */
  abort(): void;
}

/** The part of a backend that deals with whole databases. */
export interface ImageBackend {
  /** Opens a view of the newest durable state and counts what its file will hold. */
  exportImage(done: Done<ImageExport>): void;
  /** `path`: where the prepared environment shall be; its directory exists. */
  importImage(path: string): ImageImport;
  /**
   * Puts the prepared environment in the place of this one, at the end of a turn: when `done` comes
   * all new views show it, and it is what a restart opens. Commits given before end before and are
   * lost with the old state; none may be given until `done`. Views that are open stay as they were.
   * A failure is fatal, as with a commit (BK4), unless `path` does not exist.
   */
  replace(path: string, done: Done): void;
}
