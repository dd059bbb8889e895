import { createHash } from "node:crypto";
import { concat } from "../../src/base/bytes.ts";
import type { Done } from "../../src/base/ports.ts";
import type { Bucket, View } from "../../src/server/backend/backend.ts";
import { ImageBuilder } from "../../src/server/backend/image-builder.ts";
import { loadImage } from "../../src/server/backend/image-loader.ts";
import type { ImageExport, ImageHead, ImageImport } from "../../src/server/backend/image.ts";

const keyBytesMax = 1978;

/** Runs what it is given later, unless the process has died. */
export type Later = (run: () => void) => void;

/** A database file of the view, made in this process. It closes the view. */
export function exportView(view: View, later: Later, done: Done<ImageExport>): void {
  const builder = new ImageBuilder(view);
  let isClosed = false;
  const hash = createHash("sha256");
  const made = {
    get head() {
      return builder.head;
    },
    get sizeBytes() {
      return builder.sizeBytes;
    },
    sha256: null as Uint8Array | null,
    read: (taken: Done<Uint8Array | null>) => {
      later(() => {
        if (isClosed) return;
        const piece = builder.next();
        if (piece === null) made.sha256 ??= new Uint8Array(hash.digest());
        else hash.update(piece);
        taken(null, piece);
      });
    },
    close: () => {
      if (!isClosed) view.close();
      isClosed = true;
    },
  } satisfies ImageExport;
  later(() => {
    if (isClosed) return;
    while (!builder.plan(1000));
    done(null, made);
  });
}

export interface LoadedRow {
  readonly bucket: Bucket;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Takes a database file in, in this process. `prepared` gets its rows before it is done. */
export function importRows(
  later: Later,
  prepared: (rows: readonly LoadedRow[]) => void,
): ImageImport {
  const pieces: Uint8Array[] = [];
  let isOver = false;
  const end = (done: Done<ImageHead>): void => {
    const file = concat(pieces);
    const read = (at: number, length: number): Uint8Array => file.subarray(at, at + length);
    const rows: LoadedRow[] = [];
    let head: ImageHead;
    try {
      head = loadImage({ sizeBytes: file.length, read }, keyBytesMax, (bucket, key, value) =>
        rows.push({ bucket, key: key.slice(), value: value.slice() }),
      );
    } catch (error) {
      done(error as Error, null as unknown as ImageHead);
      return;
    }
    prepared(rows);
    done(null, head);
  };
  return {
    write: (bytes, done) => {
      pieces.push(bytes.slice());
      later(() => {
        if (!isOver) done(null);
      });
    },
    end: (done) => {
      later(() => {
        if (!isOver) end(done);
      });
    },
    abort: () => {
      isOver = true;
    },
  };
}
