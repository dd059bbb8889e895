// A snapshot on its way from a member to a file.
//
// SN1  Under the name asked for there is only ever a whole snapshot: its bytes are written beside
//      it, compared with the checksum at their end, synced, and renamed last.
// SN2  What went wrong leaves nothing behind.
import { createHash } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

import type { SnapshotChunk } from "../codec/client/maintenance.ts";
import { compare } from "../base/bytes.ts";
import { grpcCode } from "../base/grpc-code.ts";
import { EtcdError } from "./errors.ts";

/** Bytes gathered for one write. */
const writeBytesMin = 1024 * 1024;

/** The checksum that ends a snapshot: SHA-256 of all bytes before it. */
const checksumBytes = 32;

/** The file is a multiple of this, then its checksum. */
const pageBytes = 512;

/** What arrived is not a snapshot, or not all of it. */
export class SnapshotDamagedError extends EtcdError {
  constructor(message: string) {
    super(grpcCode.dataLoss, message);
  }
}

export interface SnapshotProgress {
  readonly receivedBytes: number;
  readonly remainingBytes: number;
}

export interface SavedSnapshot {
  /** Size of the file, its checksum included. */
  readonly bytes: number;
  /** Storage version of the member; "" from members older than 3.6. */
  readonly version: string;
}

export interface SaveOptions {
  /** Called for every chunk. */
  readonly onProgress?: (progress: SnapshotProgress) => void;
}

/** Iterate over the chunks, or save them; either once. */
export class Snapshot implements AsyncIterable<SnapshotChunk> {
  readonly #open: () => AsyncGenerator<SnapshotChunk, void, undefined>;

  constructor(open: () => AsyncGenerator<SnapshotChunk, void, undefined>) {
    this.#open = open;
  }

  [Symbol.asyncIterator](): AsyncGenerator<SnapshotChunk, void, undefined> {
    return this.#open();
  }

  /**
   * Writes the snapshot to `path`, readable by its owner only, by way of `path` + ".part".
   *
   * @throws SnapshotDamagedError when the checksum at the end is missing or not that of the bytes.
   */
  async saveTo(path: string, options: SaveOptions = {}): Promise<SavedSnapshot> {
    const part = `${path}.part`;
    try {
      const file = await open(part, "w", 0o600);
      let saved: SavedSnapshot;
      try {
        saved = await this.#writeTo(file, options);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, path);
      await syncFolder(dirname(path));
      return saved;
    } catch (error) {
      await rm(part, { force: true }); // SN2
      throw error;
    }
  }

  async #writeTo(file: FileHandle, { onProgress }: SaveOptions): Promise<SavedSnapshot> {
    const checked = new CheckedBytes();
    let version = "";
    let gathered: Uint8Array[] = [];
    let gatheredBytes = 0;
    const flush = async (): Promise<void> => {
      for (const piece of gathered) await writeAll(file, piece);
      gathered = [];
      gatheredBytes = 0;
    };
    for await (const chunk of this) {
      if (chunk.version !== "") version = chunk.version;
      checked.add(chunk.blob);
      gathered.push(chunk.blob);
      gatheredBytes += chunk.blob.length;
      if (gatheredBytes >= writeBytesMin) await flush();
      onProgress?.({ receivedBytes: checked.bytes, remainingBytes: chunk.remainingBytes });
    }
    await flush();
    checked.verify(); // SN1
    return { bytes: checked.bytes, version };
  }
}

/** Keeps back the last bytes, which may be the checksum of those before. */
class CheckedBytes {
  bytes = 0;
  readonly #hash = createHash("sha256");
  #tail: Uint8Array = new Uint8Array(0);

  add(blob: Uint8Array): void {
    this.bytes += blob.length;
    const all = new Uint8Array(this.#tail.length + blob.length);
    all.set(this.#tail);
    all.set(blob, this.#tail.length);
    const cut = Math.max(0, all.length - checksumBytes);
    this.#hash.update(all.subarray(0, cut));
    this.#tail = all.slice(cut);
  }

  verify(): void {
    if (this.bytes % pageBytes !== checksumBytes) {
      throw new SnapshotDamagedError(`sha256 checksum not found [bytes: ${this.bytes}]`);
    }
    if (compare(this.#hash.digest(), this.#tail) !== 0) {
      throw new SnapshotDamagedError(
        `The snapshot's ${this.bytes} bytes do not match its checksum`,
      );
    }
  }
}

async function writeAll(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length;) {
    const { bytesWritten } = await file.write(piece, at, piece.length - at);
    at += bytesWritten;
  }
}

/** A rename lasts when its folder was synced. Windows has no such call. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
