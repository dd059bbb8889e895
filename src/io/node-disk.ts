import * as fs from "node:fs";
import type { Disk, Done, File, OpenMode } from "../base/ports.ts";

export interface NodeDiskOptions {
  /** Promise nothing about power loss: no write is waited for. For throw-away data only. */
  readonly unsafeNoFsync?: boolean;
}

const { O_RDONLY, O_RDWR, O_CREAT, O_DSYNC, O_DIRECTORY } = fs.constants;

/** Files on node:fs. A failed sync or write is reported once and never tried again. */
export function createNodeDisk(options: NodeDiskOptions = {}): Disk {
  const isUnsafe = options.unsafeNoFsync ?? false;
  return {
    open(path: string, mode: OpenMode, done: Done<File>): void {
      fs.open(path, flagsOf(mode), 0o600, (error, fd) => {
        if (error !== null) done(error, noFile);
        else if (mode === "read" || isUnsafe) done(null, new NodeFile(path, fd, fd));
        else openDurable(path, fd, done);
      });
    },
    list(directory, done): void {
      fs.readdir(directory, (error, names) => {
        done(error, error === null ? names : []);
      });
    },
    mkdir(directory, done): void {
      fs.mkdir(directory, { recursive: true, mode: 0o700 }, (error) => {
        done(error);
      });
    },
    rename(from, to, done): void {
      fs.rename(from, to, done);
    },
    remove(path, done): void {
      fs.unlink(path, done);
    },
    syncDir(directory, done): void {
      if (isUnsafe) {
        setImmediate(done, null);
        return;
      }
      syncDirectory(directory, done);
    },
  };
}

function flagsOf(mode: OpenMode): number {
  if (mode === "read") return O_RDONLY;
  return mode === "write" ? O_RDWR : O_RDWR | O_CREAT;
}

/** `done` never looks at it: an error came with it. */
const noFile = null as unknown as File;

function openDurable(path: string, fd: number, done: Done<File>): void {
  fs.open(path, O_RDWR | O_DSYNC, (error, durableFd) => {
    if (error === null) done(null, new NodeFile(path, fd, durableFd));
    else {
      fs.close(fd, () => {
        done(error, noFile);
      });
    }
  });
}

function syncDirectory(directory: string, done: Done): void {
  fs.open(directory, O_RDONLY | O_DIRECTORY, (openError, fd) => {
    if (openError !== null) {
      done(openError);
      return;
    }
    fs.fsync(fd, (syncError) => {
      fs.close(fd, (closeError) => {
        done(syncError ?? closeError);
      });
    });
  });
}

/**
 * One open file. Durable writes go through a second descriptor with O_DSYNC, so that plain writes
 * (zeroing a segment ahead of time) are not slowed down by it.
 */
class NodeFile implements File {
  readonly #path: string;
  readonly #fd: number;
  /** The same as #fd where nothing is to be durable. */
  readonly #durableFd: number;

  constructor(path: string, fd: number, durableFd: number) {
    this.#path = path;
    this.#fd = fd;
    this.#durableFd = durableFd;
  }

  size(done: Done<number>): void {
    fs.fstat(this.#fd, (error, stat) => {
      done(error, error === null ? stat.size : 0);
    });
  }

  read(at: number, length: number, done: Done<Uint8Array>): void {
    const bytes = new Uint8Array(length);
    const more = (filled: number): void => {
      fs.read(this.#fd, bytes, filled, length - filled, at + filled, (error, count) => {
        if (error !== null) done(error, bytes);
        else if (count === 0 || filled + count === length) {
          done(null, bytes.subarray(0, filled + count));
        } else more(filled + count);
      });
    };
    more(0);
  }

  write(at: number, bytes: Uint8Array, done: Done): void {
    this.#write(this.#fd, at, bytes, done);
  }

  writeDurable(at: number, bytes: Uint8Array, done: Done): void {
    this.#write(this.#durableFd, at, bytes, done);
  }

  writeDurableNow(at: number, bytes: Uint8Array): void {
    const count = fs.writeSync(this.#durableFd, bytes, 0, bytes.length, at);
    if (count !== bytes.length) throw this.#shortWrite(count, bytes.length);
  }

  sync(done: Done): void {
    if (this.#durableFd === this.#fd) setImmediate(done, null);
    else fs.fdatasync(this.#fd, done);
  }

  truncate(size: number, done: Done): void {
    fs.ftruncate(this.#fd, size, done);
  }

  close(done: Done): void {
    const durableFd = this.#durableFd;
    fs.close(this.#fd, (error) => {
      if (durableFd === this.#fd) done(error);
      else {
        fs.close(durableFd, (durableError) => {
          done(error ?? durableError);
        });
      }
    });
  }

  #write(fd: number, at: number, bytes: Uint8Array, done: Done): void {
    fs.write(fd, bytes, 0, bytes.length, at, (error, count) => {
      if (error !== null) done(error);
      else done(count === bytes.length ? null : this.#shortWrite(count, bytes.length));
    });
  }

  /** The kernel writes less than asked only when something is wrong, such as a full disk. */
  #shortWrite(count: number, length: number): Error {
    return new Error(`Cannot write ${length} bytes to ${this.#path}: only ${count} were written`);
  }
}
