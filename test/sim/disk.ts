import type { Disk, Done, File, Random } from "../../src/base/ports.ts";
import { SimCrash, type Life, type Scheduler } from "./scheduler.ts";

// SD1  After a crash a file holds its synced bytes; of each later write every 512-byte sector is
//      kept or not, on its own.
// SD2  Creations, renames and removals survive a crash only up to some point in their order, and
//      all of them up to the last syncDir.

const sectorBytes = 512;

/** What an operation does instead of its work: fail, write a part and fail, or end the process. */
export type Fault = "EIO" | "ENOSPC" | "short" | "crash";

export type OperationName =
  | "open"
  | "size"
  | "read"
  | "write"
  | "writeDurable"
  | "sync"
  | "truncate"
  | "close"
  | "list"
  | "mkdir"
  | "rename"
  | "remove"
  | "syncDir";

interface PendingWrite {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Bytes that grow by doubling their buffer. */
class Extent {
  #buffer = new Uint8Array(0);
  #size = 0;

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  put({ at, bytes }: PendingWrite): void {
    const end = at + bytes.length;
    if (end > this.#buffer.length) {
      const grown = new Uint8Array(2 * end);
      grown.set(this.bytes);
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, at);
    this.#size = Math.max(this.#size, end);
  }

  resize(size: number): void {
    const resized = new Uint8Array(size);
    resized.set(this.#buffer.subarray(0, Math.min(size, this.#size)));
    this.#buffer = resized;
    this.#size = size;
  }

  copyOf(other: Extent): void {
    this.#buffer = other.bytes.slice();
    this.#size = this.#buffer.length;
  }
}

class Content {
  readonly now = new Extent();
  readonly synced = new Extent();
  pending: PendingWrite[] = [];
}

type DirectoryOperation = (names: Map<string, Content>) => void;

/** The disk of one machine: outlives the processes that use it. */
export class SimDisk {
  /** Counts operations; faults are told by it. */
  operations = 0;
  /** Decides what goes wrong; null: nothing. */
  fault: (operation: number, name: OperationName, path: string) => Fault | null = () => null;
  /** Most milliseconds an operation takes. */
  delayMsMax = 2;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  #names = new Map<string, Content>();
  #syncedNames = new Map<string, Content>();
  /** Operations on names since the last syncDir of their directory, in order. */
  #unsynced: { directory: string; run: DirectoryOperation }[] = [];

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  /** The disk as one process sees it. */
  portFor(life: Life): Disk {
    return {
      open: (path, mode, done) => {
        this.#operate(life, "open", path, done, noFile, () => {
          let content = this.#names.get(path);
          if (content === undefined && mode !== "create") throw new Error(`ENOENT: ${path}`);
          if (content === undefined) {
            const made = new Content();
            content = made;
            this.#changeNames(directoryOf(path), (names) => names.set(path, made));
          }
          return this.#fileFor(life, path, content);
        });
      },
      list: (directory, done) => {
        this.#operate(life, "list", directory, done, [], () =>
          [...this.#names.keys()]
            .filter((path) => directoryOf(path) === directory)
            .map((path) => path.slice(directory.length + 1))
            .sort(),
        );
      },
      mkdir: (directory, done) => {
        this.#operate(life, "mkdir", directory, done, undefined, () => undefined);
      },
      rename: (from, to, done) => {
        this.#operate(life, "rename", from, done, undefined, () => {
          const content = this.#names.get(from);
          if (content === undefined) throw new Error(`ENOENT: ${from}`);
          this.#changeNames(directoryOf(to), (names) => {
            names.delete(from);
            names.set(to, content);
          });
        });
      },
      remove: (path, done) => {
        this.#operate(life, "remove", path, done, undefined, () => {
          this.#changeNames(directoryOf(path), (names) => names.delete(path));
        });
      },
      syncDir: (directory, done) => {
        this.#operate(life, "syncDir", directory, done, undefined, () => {
          const rest = [];
          for (const operation of this.#unsynced) {
            if (operation.directory === directory) operation.run(this.#syncedNames);
            else rest.push(operation);
          }
          this.#unsynced = rest;
        });
      },
    };
  }

  /** Power is lost: what was not synced survives in parts (SD1, SD2). End the process as well. */
  crash(): void {
    const survivors = this.#random.below(this.#unsynced.length + 1);
    for (const operation of this.#unsynced.slice(0, survivors)) operation.run(this.#syncedNames);
    this.#unsynced = [];
    this.#names = new Map(this.#syncedNames);
    for (const content of this.#names.values()) {
      for (const write of content.pending) this.#keepSectors(content, write);
      content.pending = [];
      content.now.copyOf(content.synced);
    }
  }

  /** Every file with its current bytes, for tests that damage them. */
  files(): Map<string, Uint8Array> {
    const files = new Map<string, Uint8Array>();
    for (const [path, content] of this.#names) files.set(path, content.now.bytes);
    return files;
  }

  /** From now on these bytes are read here, whatever was written. */
  damage(path: string, at: number, bytes: Uint8Array): void {
    const content = this.#names.get(path)!;
    content.now.put({ at, bytes });
    content.synced.put({ at, bytes });
  }

  #keepSectors(content: Content, write: PendingWrite): void {
    const kind = this.#random.below(3); // nothing, everything, or each sector by chance
    if (kind === 0) return;
    for (let at = 0; at < write.bytes.length;) {
      const offset = write.at + at;
      const length = Math.min(sectorBytes - (offset % sectorBytes), write.bytes.length - at);
      if (kind === 1 || this.#random.below(2) === 0) {
        content.synced.put({ at: offset, bytes: write.bytes.subarray(at, at + length) });
      }
      at += length;
    }
  }

  #changeNames(directory: string, run: DirectoryOperation): void {
    run(this.#names);
    this.#unsynced.push({ directory, run });
  }

  #fileFor(life: Life, path: string, content: Content): File {
    const putDurable = (write: PendingWrite): void => {
      const place = content.pending.indexOf(write);
      if (place >= 0) content.pending.splice(place, 1);
      content.now.put(write);
      content.synced.put(write);
    };
    const begin = (at: number, bytes: Uint8Array): PendingWrite => {
      const write = { at, bytes: bytes.slice() };
      content.pending.push(write);
      return write;
    };
    return {
      size: (done) => {
        this.#operate(life, "size", path, done, 0, () => content.now.bytes.length);
      },
      read: (at, length, done) => {
        this.#operate(life, "read", path, done, new Uint8Array(0), () =>
          content.now.bytes.slice(at, at + length),
        );
      },
      write: (at, bytes, done) => {
        const write = begin(at, bytes);
        this.#operate(life, "write", path, done, undefined, () => {
          content.now.put(write);
        });
      },
      writeDurable: (at, bytes, done) => {
        const write = begin(at, bytes);
        this.#operate(life, "writeDurable", path, done, undefined, () => {
          putDurable(write);
        });
      },
      writeDurableNow: (at, bytes) => {
        const write = begin(at, bytes);
        const fault = this.fault(this.operations++, "writeDurable", path);
        if (fault === "crash") throw new SimCrash();
        if (fault !== null) throw new Error(`${fault}: write ${path}`);
        putDurable(write);
      },
      sync: (done) => {
        const before = content.pending.slice();
        this.#operate(life, "sync", path, done, undefined, () => {
          for (const write of before) if (content.pending.includes(write)) putDurable(write);
        });
      },
      truncate: (size, done) => {
        this.#operate(life, "truncate", path, done, undefined, () => {
          content.now.resize(size);
          content.synced.resize(size);
        });
      },
      close: (done) => {
        this.#operate(life, "close", path, done, undefined, () => undefined);
      },
    };
  }

  /** The work happens when the operation completes; until then a crash finds it begun only. */
  #operate<T>(
    life: Life,
    name: OperationName,
    path: string,
    done: Done<T>,
    nothing: T,
    work: () => T,
  ): void {
    const fault = this.fault(this.operations++, name, path);
    if (fault === "crash") throw new SimCrash();
    const delay = this.delayMsMax * (this.#random.below(1000) / 1000);
    this.#scheduler.after(delay, life, () => {
      if (fault !== null) {
        done(new Error(`${fault}: ${name} ${path}`), nothing);
        return;
      }
      let value: T;
      try {
        value = work();
      } catch (error) {
        done(error as Error, nothing);
        return;
      }
      done(null, value);
    });
  }
}

/** Goes with an error: nobody looks at it. */
const noFile = null as unknown as File;

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
