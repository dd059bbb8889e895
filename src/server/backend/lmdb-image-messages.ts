import type { ImageHead } from "./image.ts";

/** From the owner (main thread) to the thread that gives a database file out. */
export type ToExporter =
  /** Asks for one more piece. */
  { readonly kind: "read" } | { readonly kind: "close" };

export type FromExporter =
  | { readonly kind: "opened"; readonly head: ImageHead; readonly sizeBytes: number }
  /** One per "read", or the end instead. */
  | { readonly kind: "piece"; readonly piece: Uint8Array<ArrayBuffer> }
  | { readonly kind: "end"; readonly sha256: Uint8Array }
  | { readonly kind: "failed"; readonly error: string };

/** From the owner to the thread that takes a database file in. */
export type ToImporter =
  /** `length` bytes from the start of the block. */
  | { readonly kind: "piece"; readonly block: ArrayBuffer; readonly length: number }
  | { readonly kind: "end" }
  | { readonly kind: "abort" };

export type FromImporter =
  /** One per "piece": it is in the file, and its block may be filled again. */
  | { readonly kind: "written"; readonly block: ArrayBuffer }
  | { readonly kind: "prepared"; readonly head: ImageHead }
  | { readonly kind: "failed"; readonly error: string };

/** What either thread starts with. */
export interface ImageWorkerStart {
  /** Exporter: the database. Importer: where the prepared environment shall be. */
  readonly path: string;
}
