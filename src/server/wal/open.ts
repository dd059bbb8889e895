import type { Checksum, Disk, Done, File, Random } from "../../base/ports.ts";
import type { Entry, HardState } from "../../raft/types.ts";
import { walVersion } from "./format.ts";
import { parseSegmentName, parseSpareName, type SegmentName } from "./names.ts";
import { Recovery } from "./recover.ts";
import { SegmentPool } from "./segment-pool.ts";
import { createSegment, type LiveSegment } from "./segment.ts";
import { Wal, type WalPosition } from "./wal.ts";

export interface OpenWalOptions {
  readonly disk: Disk;
  readonly checksum: Checksum;
  /** Draws the number that a new log's checksums start from. */
  readonly random: Random;
  /** Where the segments are; created if missing. */
  readonly directory: string;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Entries below this index are checked but not returned. */
  readonly keepFrom: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Told how long each write took, in milliseconds. */
  readonly observeWrite?: (durationMs: number) => void;
  readonly durable: (ticket: number) => void;
  readonly failed: (error: Error) => void;
  readonly settings?: Partial<WalSettings>;
}

export interface WalSettings {
  readonly segmentBytes: number;
  /** Size of the very first segment: small, so that a new member need not wait for its zeroing. */
  readonly firstSegmentBytes: number;
  readonly paddingBytes: number;
  readonly frameBytesMax: number;
  readonly inlineEntriesMax: number;
  readonly inlineBytesMax: number;
  readonly inlineWriteMsMax: number;
  readonly sparesMax: number;
  readonly zeroChunkBytes: number;
}

const walDefaults: WalSettings = {
  segmentBytes: 64 * 1024 * 1024,
  firstSegmentBytes: 4 * 1024 * 1024,
  paddingBytes: 4096,
  frameBytesMax: 4 * 1024 * 1024,
  inlineEntriesMax: 8,
  inlineBytesMax: 64 * 1024,
  inlineWriteMsMax: 1,
  sparesMax: 2,
  zeroChunkBytes: 1024 * 1024,
};

export interface OpenedWal {
  readonly wal: Wal;
  readonly hardState: HardState;
  /** Entries from keepFrom on (or from firstIndex, if that is higher). */
  readonly entries: Entry[];
  /** The first and last index in the log; last = first - 1 if it is empty. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** The snapshot that the log begins behind, if a snapshot's mark is still in it. */
  readonly base: { readonly index: number; readonly term: number } | null;
  readonly isNew: boolean;
  /** An unfinished write at the end was dropped. */
  readonly isTailTorn: boolean;
}

interface FoundSegment {
  readonly name: SegmentName;
  readonly path: string;
}

/**
 * Opens the log, or creates it. Fails with WalCorruptError when what is on disk is not what was
 * written, apart from an unfinished write at the end.
 */
export function openWal(options: OpenWalOptions, done: Done<OpenedWal>): void {
  const settings: WalSettings = { ...walDefaults, ...options.settings };
  const opening = new Opening(options, settings, done);
  opening.run();
}

class Opening {
  readonly #options: OpenWalOptions;
  readonly #settings: WalSettings;
  readonly #done: Done<OpenedWal>;
  readonly #recovery: Recovery;
  readonly #live: LiveSegment[] = [];
  #spares: string[] = [];
  #nextSpare = 0;

  constructor(options: OpenWalOptions, settings: WalSettings, done: Done<OpenedWal>) {
    this.#options = options;
    this.#settings = settings;
    this.#done = done;
    this.#recovery = new Recovery(options);
  }

  run(): void {
    const { disk, directory } = this.#options;
    disk.mkdir(directory, (error) => {
      if (error !== null) this.#fail(error);
      else {
        disk.list(directory, (listError, names) => {
          if (listError !== null) this.#fail(listError);
          else this.#sort(names);
        });
      }
    });
  }

  #sort(names: readonly string[]): void {
    const { directory } = this.#options;
    const segments: FoundSegment[] = [];
    const spares: string[] = [];
    for (const name of names) {
      const segment = parseSegmentName(name);
      const spare = parseSpareName(name);
      if (segment !== null) segments.push({ name: segment, path: `${directory}/${name}` });
      if (spare === null) continue;
      spares.push(`${directory}/${name}`);
      this.#nextSpare = Math.max(this.#nextSpare, spare + 1);
    }
    segments.sort((a, b) => a.name.segment - b.name.segment);
    this.#checkSpares(spares.sort(), () => {
      if (segments.length === 0) this.#create();
      else this.#read(segments, 0);
    });
  }

  /** Whole spares are used again; one whose zeroing was cut short is removed. */
  #checkSpares(paths: readonly string[], then: () => void): void {
    const path = paths[0];
    if (path === undefined) {
      then();
      return;
    }
    const { disk } = this.#options;
    const next = this.#orFail(() => {
      this.#checkSpares(paths.slice(1), then);
    });
    disk.open(path, "read", (error, file) => {
      if (error !== null) this.#fail(error);
      else {
        file.size((sizeError, size) => {
          const isWhole = size === this.#settings.segmentBytes;
          if (isWhole && this.#spares.length < this.#settings.sparesMax) this.#spares.push(path);
          file.close(() => {
            if (sizeError !== null) this.#fail(sizeError);
            else if (this.#spares.includes(path)) next(null);
            else disk.remove(path, next);
          });
        });
      }
    });
  }

  #create(): void {
    const { disk, checksum, directory, clusterId, memberId, random } = this.#options;
    const { firstSegmentBytes, paddingBytes, segmentBytes } = this.#settings;
    const pool = this.#createPool();
    pool.make(Math.min(firstSegmentBytes, segmentBytes), (error, spare) => {
      if (error !== null) {
        this.#fail(error);
        return;
      }
      const header = {
        version: walVersion,
        nonce: random.u32(),
        clusterId,
        memberId,
        segment: 0,
        firstSequence: 1,
        firstIndex: 1,
        chain: 0,
        paddingBytes,
      };
      createSegment({ disk, checksum, directory }, spare, header, (createError, segment) => {
        if (createError !== null) {
          this.#fail(createError);
          return;
        }
        this.#live.push(segment);
        this.#recovery.newest = header;
        this.#recovery.nextSequence = 1;
        this.#recovery.firstIndex = 1;
        this.#recovery.end = paddingBytes;
        this.#syncParents(() => {
          this.#finish(pool, spare.file, true);
        });
      });
    });
  }

  /** The directory and its parent may be new as well. */
  #syncParents(then: () => void): void {
    const { disk, directory } = this.#options;
    const parent = parentOf(directory);
    const grandparent = parentOf(parent);
    const second = this.#orFail(then);
    const first = this.#orFail(() => {
      disk.syncDir(grandparent, second);
    });
    disk.syncDir(parent, first);
  }

  #read(segments: readonly FoundSegment[], position: number): void {
    const { disk } = this.#options;
    const found = segments[position]!;
    const isNewest = position === segments.length - 1;
    disk.open(found.path, isNewest ? "write" : "read", (error, file) => {
      if (error !== null) {
        this.#fail(error);
        return;
      }
      readAll(file, (readError, bytes) => {
        if (readError !== null) {
          this.#fail(readError);
          return;
        }
        try {
          this.#recovery.addSegment(found.name, found.path, bytes);
          if (isNewest) this.#recovery.finish();
        } catch (corrupt) {
          file.close(() => {
            this.#fail(corrupt as Error);
          });
          return;
        }
        const { segment, firstIndex } = found.name;
        const frames = this.#recovery.frameCounts.get(segment) ?? 0;
        this.#live.push({ segment, firstIndex, path: found.path, bytes: bytes.length, frames });
        if (isNewest) this.#finish(this.#createPool(), file, false);
        else {
          const closed = this.#orFail(() => {
            this.#read(segments, position + 1);
          });
          file.close(closed);
        }
      });
    });
  }

  #createPool(): SegmentPool {
    const { disk, directory, failed } = this.#options;
    const { segmentBytes, sparesMax, zeroChunkBytes } = this.#settings;
    return new SegmentPool({
      disk,
      directory,
      segmentBytes,
      sparesMax,
      zeroChunkBytes,
      spares: this.#spares,
      nextNumber: this.#nextSpare,
      failed,
    });
  }

  #finish(pool: SegmentPool, file: File, isNew: boolean): void {
    const recovery = this.#recovery;
    const header = recovery.newest!;
    const lastIndex = isNew ? 0 : recovery.lastIndex;
    const position: WalPosition = {
      nonce: header.nonce,
      segments: this.#live,
      file,
      paddingBytes: header.paddingBytes,
      end: recovery.end,
      nextSequence: recovery.nextSequence,
      chain: recovery.chain,
      hardState: recovery.hardState,
      lastIndex,
      frames: recovery.frames,
    };
    pool.prepare();
    this.#done(null, {
      wal: new Wal({ ...this.#options, ...this.#settings }, pool, position),
      hardState: recovery.hardState,
      entries: recovery.entries,
      firstIndex: recovery.firstIndex,
      lastIndex,
      base: recovery.base,
      isNew,
      isTailTorn: recovery.isTailTorn,
    });
  }

  #orFail(then: () => void): Done {
    return (error) => {
      if (error !== null) this.#fail(error);
      else then();
    };
  }

  #fail(error: Error): void {
    this.#done(error, null as unknown as OpenedWal); // the error comes instead of a value
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "." : path.slice(0, Math.max(1, slash));
}

function readAll(file: File, done: Done<Uint8Array>): void {
  file.size((error, size) => {
    if (error !== null) done(error, new Uint8Array(0));
    else file.read(0, size, done);
  });
}
