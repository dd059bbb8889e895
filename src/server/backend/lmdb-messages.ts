import type { BackendSize } from "./backend.ts";
import type { Chunk } from "./lmdb-chunk.ts";

/** From the owner (main thread) to the writer thread. Handled in order. */
export type ToWriter =
  | { readonly kind: "commit"; readonly chunks: readonly Chunk[] }
  | { readonly kind: "defragment"; readonly copyPath: string }
  /** Puts a prepared environment in the place of the database. */
  | { readonly kind: "replace"; readonly copyPath: string }
  /** Answer to "ready": the owner has the copy open, too; null is success. */
  | { readonly kind: "opened"; readonly error: string | null }
  /** The owner let go of the environment that this swap replaced (1 = the first swap). */
  | { readonly kind: "released"; readonly swap: number }
  | { readonly kind: "close" };

/** What puts another environment in the place of the database. One at a time. */
export type SwapKind = "defragment" | "replace";

/** From the writer thread to the owner. */
export type FromWriter =
  /** One per "commit", in order. `chunks` come back for reuse. */
  | { readonly kind: "committed"; readonly chunks: readonly Chunk[]; readonly size: BackendSize }
  /** The writer has stopped for good; the state on disk is the last reported commit or newer. */
  | { readonly kind: "failed"; readonly error: string }
  /** The copy is complete; the writer waits for "opened". */
  | { readonly kind: "ready"; readonly copyPath: string }
  /** The copy is the database now. */
  | { readonly kind: "swapped"; readonly swap: SwapKind; readonly size: BackendSize }
  /** The database is as it was. */
  | { readonly kind: "swapFailed"; readonly swap: SwapKind; readonly error: string }
  | { readonly kind: "closed" };

export interface WriterStart {
  readonly path: string;
}
