/**
 * How far a file was imported, kept in a small file until the import is over.
 *
 * IP1  What it says was done was answered by the cluster; at most one transaction more was.
 * IP2  It holds only for a file that still has the same bytes before that place, and for the
 *      cluster it was imported into.
 */
import { createHash } from "node:crypto";
import { readFileSync, readSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { ExitError, exitCode } from "../../cli/run.ts";
import { errorText } from "../../cli/system-error.ts";

/** Bytes before the place that are compared. */
const tailBytesMax = 64 * 1024;

export interface Place {
  /** First byte that was not imported yet. */
  readonly offset: number;
  readonly lines: number;
  readonly keys: number;
  /** The file began as an export does, so it ends as one. */
  readonly isExport: boolean;
}

export const firstPlace: Place = { offset: 0, lines: 0, keys: 0, isExport: false };

interface Kept extends Place {
  readonly clusterId: string;
  readonly tail: string;
}

export class ImportProgress {
  readonly path: string;
  readonly #file: number;
  readonly #clusterId: string;

  constructor(path: string, file: number, clusterId: string) {
    this.path = path;
    this.#file = file;
    this.#clusterId = clusterId;
  }

  /** Where to go on. @throws ExitError when what is kept is of something else (IP2). */
  load(): Place {
    const kept = this.#read();
    if (kept === null) return firstPlace;
    const { clusterId, tail, ...place } = kept;
    if (clusterId !== this.#clusterId) throw this.#refusal(`of cluster ${clusterId}`);
    if (tail !== this.#tailBefore(place.offset)) throw this.#refusal("of another file");
    return place;
  }

  /** @throws ExitError when it cannot be written. */
  save(place: Place): void {
    const kept: Kept = {
      ...place,
      clusterId: this.#clusterId,
      tail: this.#tailBefore(place.offset),
    };
    const next = `${this.path}.tmp`;
    try {
      writeFileSync(next, `${JSON.stringify(kept)}\n`);
      renameSync(next, this.path);
    } catch (error) {
      throw new ExitError(exitCode.io, `cannot keep the progress: ${errorText(error)}`, {
        cause: error,
      });
    }
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }

  #read(): Kept | null {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw new ExitError(exitCode.io, errorText(error), { cause: error });
    }
    try {
      const kept = JSON.parse(text) as Kept;
      if (Number.isSafeInteger(kept.offset) && kept.offset >= 0) return kept;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw this.#refusal("no progress of an import");
  }

  #refusal(what: string): ExitError {
    const text = `${this.path} is ${what}; --restart begins anew, --progress names another file`;
    return new ExitError(exitCode.invalidInput, text);
  }

  #tailBefore(offset: number): string {
    const bytes = new Uint8Array(Math.min(offset, tailBytesMax));
    const got =
      bytes.length === 0 ? 0 : readSync(this.#file, bytes, 0, bytes.length, offset - bytes.length);
    return createHash("sha256").update(bytes.subarray(0, got)).digest("hex");
  }
}
