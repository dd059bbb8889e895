import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  rmSync,
  statSync,
} from "node:fs";
import { platform, setPriority } from "node:os";

/** The head of a file of LMDB: two pages that describe it, each beginning with these fields. */
const headCount = 2;
const headBytes = 56;
const flagsAt = 18;
const magicAt = 24;
const versionAt = 28;
const pageSizeAt = 48;
const metaFlag = 8;
const magic = 0xbeefc0de;
/** Data version of the library's LMDB. */
const version = 2;
const pageBytesMin = 4096;
const pageBytesMax = 65536;

/**
 * Throws unless LMDB will open `path`: the library, when it fails to open, frees memory twice and
 * may end the process. Returns the file's size, 0 if there is none. A file that was created and
 * never flushed (a power cut at the first start) is removed: nothing was ever in it.
 */
export function checkFile(path: string): number {
  if (!existsSync(path)) return 0;
  if (existsSync(`${path}-lock`)) accessSync(`${path}-lock`, constants.R_OK | constants.W_OK);
  if (!statSync(path).isFile()) throw new Error("it is not a file");
  const file = openSync(path, "r+");
  try {
    const { size } = fstatSync(file);
    const first = readHead(file, 0);
    const pageBytes = first.getUint32(pageSizeAt, true);
    if (size === 0 || isZero(first)) {
      rmSync(path);
      return 0;
    }
    checkHead(first);
    if (size < headCount * pageBytes) {
      throw new Error(
        `the file has ${size} bytes, wanted ${headCount * pageBytes} at least: it was cut`,
      );
    }
    checkHead(readHead(file, pageBytes));
    return size;
  } finally {
    closeSync(file);
  }
}

/** Zeros where the file has ended. */
function readHead(file: number, at: number): DataView {
  const bytes = new Uint8Array(headBytes);
  readSync(file, bytes, 0, headBytes, at);
  return new DataView(bytes.buffer);
}

function isZero(head: DataView): boolean {
  return new Uint8Array(head.buffer).every((byte) => byte === 0);
}

function checkHead(head: DataView): void {
  const isLmdb =
    (head.getUint16(flagsAt, true) & metaFlag) !== 0 && head.getUint32(magicAt, true) === magic;
  if (!isLmdb) throw new Error("it is not a database of LMDB");
  const got = head.getUint16(versionAt, true);
  if (got !== version) throw new Error(`its LMDB data version is ${got}, wanted ${version}`);
  const pageBytes = head.getUint32(pageSizeAt, true);
  if (pageBytes < pageBytesMin || pageBytes > pageBytesMax) {
    throw new Error(`its page size is ${pageBytes}, wanted ${pageBytesMin} to ${pageBytesMax}`);
  }
}

/**
 * On Linux the priority is the calling thread's: one that has time leaves the processor to those
 * that clients wait for. Where that is not allowed it runs as any other.
 *
 * @param nice 1 to 19. At 19 it would get next to nothing while others use all processors.
 */
export function lowerThreadPriority(nice: number): void {
  if (platform() !== "linux") return;
  try {
    setPriority(nice);
  } catch {
    // A limit of the system; the work is done all the same.
  }
}

/** Makes creations and renames in the directory durable. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
