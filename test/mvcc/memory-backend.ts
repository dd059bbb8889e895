import { compare, toBinaryString } from "../../src/base/bytes.ts";
import type { Done } from "../../src/base/ports.ts";
import type { Backend, Batch, Bucket, View } from "../../src/server/backend/backend.ts";

import type { ImageExport, ImageImport } from "../../src/server/backend/image.ts";
import { exportView, importRows } from "../sim/image.ts";
import type { LoadedRow } from "../sim/image.ts";

type Rows = Map<string, { key: Uint8Array; value: Uint8Array }>;

/** The smallest thing that keeps the Backend contract; commits finish when `flush` is called. */
export class MemoryBackend implements Backend {
  #durable = new Map<Bucket, Rows>();
  readonly #pending: { batch: Batch; done: Done }[] = [];
  readonly #prepared = new Map<string, readonly LoadedRow[]>();
  openViews = 0;

  /** What a restart after a crash finds: what is durable and up to `kept` commits not reported. */
  crashCopy(kept = 0): MemoryBackend {
    const copy = new MemoryBackend();
    copy.#durable = this.#durable;
    for (const { batch } of this.#pending.slice(0, kept)) copy.#apply(batch);
    return copy;
  }

  commit(batch: Batch, done: Done): void {
    this.#pending.push({ batch, done });
  }

  get pending(): number {
    return this.#pending.length;
  }

  /** Finishes the oldest commit; false if there is none. */
  flush(): boolean {
    const next = this.#pending.shift();
    if (next === undefined) return false;
    this.#apply(next.batch);
    next.done(null);
    return true;
  }

  #apply(batch: Batch): void {
    const durable = new Map(this.#durable); // copied, so views never change
    const touched = new Set<Bucket>();
    for (let i = 0; i < batch.size; i++) {
      const bucket = batch.buckets[i]!;
      if (!touched.has(bucket)) durable.set(bucket, new Map(durable.get(bucket) ?? []));
      touched.add(bucket);
      const name = toBinaryString(batch.keys[i]!);
      const value = batch.values[i]!;
      if (value === null) durable.get(bucket)!.delete(name);
      else durable.get(bucket)!.set(name, { key: batch.keys[i]!.slice(), value: value.slice() });
    }
    this.#durable = durable;
  }

  view(): View {
    this.openViews++;
    const durable = this.#durable;
    const sorted = new Map<Bucket, { key: Uint8Array; value: Uint8Array }[]>();
    const rowsOf = (bucket: Bucket): { key: Uint8Array; value: Uint8Array }[] => {
      let rows = sorted.get(bucket);
      if (rows === undefined) {
        rows = [...(durable.get(bucket)?.values() ?? [])];
        rows.sort((a, b) => compare(a.key, b.key));
        sorted.set(bucket, rows);
      }
      return rows;
    };
    const get = (bucket: Bucket, key: Uint8Array): Uint8Array | null =>
      durable.get(bucket)?.get(toBinaryString(key))?.value.slice() ?? null;
    const index = get("meta", new TextEncoder().encode("consistent_index"));
    return {
      consistentIndex: index === null ? 0 : Number(new DataView(index.buffer).getBigUint64(0)),
      get,
      range(bucket, from, to, visit) {
        for (const row of rowsOf(bucket)) {
          if (compare(row.key, from) < 0) continue;
          if (to !== null && compare(row.key, to) >= 0) break;
          if (!visit(row.key, row.value)) break;
        }
      },
      close: () => {
        this.openViews--;
      },
    };
  }

  size(): { file: number; inUse: number } {
    return { file: 1, inUse: 1 };
  }

  defragment(done: Done): void {
    done(null);
  }

  exportImage(done: Done<ImageExport>): void {
    exportView(this.view(), setImmediate, done);
  }

  importImage(path: string): ImageImport {
    return importRows(setImmediate, (rows) => this.#prepared.set(path, rows));
  }

  /** What was pending is lost; the owner waits for its commits before. */
  replace(path: string, done: Done): void {
    const rows = this.#prepared.get(path);
    if (rows === undefined || this.#pending.length > 0) {
      setImmediate(() => done(new Error(`${path} cannot replace the backend`)));
      return;
    }
    this.#prepared.delete(path);
    const durable = new Map<Bucket, Rows>();
    for (const { bucket, key, value } of rows) {
      const ofBucket =
        durable.get(bucket) ?? new Map<string, { key: Uint8Array; value: Uint8Array }>();
      durable.set(bucket, ofBucket);
      ofBucket.set(toBinaryString(key), { key, value });
    }
    setImmediate(() => {
      this.#durable = durable;
      done(null);
    });
  }

  close(done: Done): void {
    done(null);
  }
}
