import * as fs from "node:fs";
import { dirname } from "node:path";
import { syncDirectory } from "./node-directory.ts";

/** A file written in one go and read in one go, blocking. All throw what the system says. */
export function nodeImageFile(path: string): {
  open(): { size: number; read(target: Uint8Array): boolean; close(): void } | null;
  create(): { write(parts: readonly Uint8Array[]): void; close(): void };
  remove(): void;
} {
  return {
    open: () => {
      if (!fs.existsSync(path)) return null;
      const fd = fs.openSync(path, "r");
      return {
        size: fs.fstatSync(fd).size,
        read: (target) => readFully(fd, target),
        close: () => {
          fs.closeSync(fd);
        },
      };
    },
    create: () => {
      const fd = fs.openSync(path, "w", 0o600);
      return {
        write: (parts) => {
          writeFully(fd, path, parts);
        },
        close: () => {
          fs.closeSync(fd);
        },
      };
    },
    remove: () => {
      const used = `${path}.used`;
      if (fs.existsSync(path)) fs.renameSync(path, used);
      // Also when there was none: whoever removed it may have crashed before this.
      syncDirectory(dirname(path));
      // Freeing a large file takes a while. One that stays is never read, and goes the next time.
      fs.unlink(used, () => undefined);
    },
  };
}

function readFully(fd: number, target: Uint8Array): boolean {
  for (let filled = 0; filled < target.length;) {
    const count = fs.readSync(fd, target, filled, target.length - filled, null);
    if (count === 0) return false;
    filled += count;
  }
  return true;
}

/** Parts of one call to the system; it takes 1,024 at most. */
const partsMax = 1000;

function writeFully(fd: number, path: string, parts: readonly Uint8Array[]): void {
  for (let from = 0; from < parts.length; from += partsMax) {
    const some = parts.slice(from, from + partsMax);
    const wanted = some.reduce((sum, part) => sum + part.length, 0);
    const count = fs.writevSync(fd, some);
    if (count !== wanted) {
      throw new Error(`Cannot write ${wanted} bytes to ${path}: only ${count} were written`);
    }
  }
}
