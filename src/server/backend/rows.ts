import type { Bucket } from "./backend.ts";

/** Where modules hand in their rows; they become durable together with the entry being applied. */
export interface RowWriter {
  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void;
  delete(bucket: Bucket, key: Uint8Array): void;
}
