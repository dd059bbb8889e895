import { fromBinaryString, toBinaryString } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";

/**
 * The data directory: who it belongs to, what format it has, where things are.
 *
 * DD1  Nothing is created or changed in a directory that is another program's or of a newer format.
 * DD2  The format file is there before anything else that a member writes.
 */

/** Version of everything below `member/`, see docs/format.md. */
const formatVersion = 1;

/** Blocking file operations, for the start of the process only. They throw what the system says. */
export interface DirectoryFiles {
  /** What is at the path, links followed, and its permission bits; null if nothing is. */
  stat(
    path: string,
  ): { readonly kind: "file" | "directory" | "other"; readonly mode: number } | null;
  list(directory: string): string[];
  /** Creates the directory, mode 0700, with missing parents; durable when it returns. */
  makeDirectory(path: string): void;
  read(path: string): Uint8Array;
  /** Writes the whole file, mode 0600: after any crash it is as before or as given. */
  replace(path: string, bytes: Uint8Array): void;
}

export interface DataDirLock {
  release(): void;
}

export interface DataDirOptions {
  readonly path: string;
  readonly files: DirectoryFiles;
  readonly log: Logger;
  /** Takes a lock file; null if another process has it. */
  readonly lock: (path: string) => DataDirLock | null;
}

export interface DataDirIdentity {
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

export interface DataDir {
  readonly walPath: string;
  readonly backendPath: string;
  readonly indexImagePath: string;
  /** Where the database made from a received snapshot waits; alone in its directory. */
  readonly preparedPath: string;
  /** Who the member in this directory is; null in a new one. */
  readonly identity: DataDirIdentity | null;
  /** Durable when it returns. Once, in a new directory, before anything else is written to it. */
  saveIdentity(identity: DataDirIdentity): void;
  /** Lets go of the lock. */
  release(): void;
}

/** A data directory that cannot be used, with what to do about it. @forTests */
export class DataDirError extends Error {
  override readonly name = "DataDirError";
}

const worldWritable = 0o002;
const modeWanted = 0o700;

/** Opens or creates. Throws {@link DataDirError} for a directory that cannot be used. */
export function openDataDir(options: DataDirOptions): DataDir {
  const { path, files } = options;
  const memberPath = `${path}/member`;
  return explained(path, () => {
    checkPlace(options);
    const isOurs = files.stat(`${memberPath}/format`) !== null;
    if (!isOurs) refuseForeign(files, path, memberPath);
    files.makeDirectory(memberPath);
    const lock = options.lock(`${memberPath}/lock`);
    if (lock === null) throw refused(path, "it is in use by another process", "a free one");
    try {
      return openLocked(options, memberPath, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  });
}

/** What the system says (permission denied, read-only file system) in terms of the directory. */
function explained<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof DataDirError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw refused(path, reason, "a directory that this process may read and write", error);
  }
}

function refused(path: string, got: string, wanted: string, cause?: unknown): DataDirError {
  const message = `Cannot use the data directory "${path}": ${got}; wanted ${wanted}`;
  return new DataDirError(message, cause === undefined ? {} : { cause });
}

function checkPlace({ path, files, log }: DataDirOptions): void {
  const found = files.stat(path);
  if (found === null) return;
  if (found.kind !== "directory") throw refused(path, "it is not a directory", "a directory");
  const mode = found.mode & 0o777;
  const shown = `0${mode.toString(8)}`;
  if ((mode & worldWritable) !== 0) {
    throw refused(path, `every user may write to it (mode ${shown})`, "mode 0700");
  }
  if ((mode & ~modeWanted) !== 0) {
    const recommended = "to prevent possible unprivileged access to the data";
    log.warn("check file permission", {
      error: `directory "${path}" exist, but the permission is "${shown}". The recommended permission is "0700" ${recommended}`,
    });
  }
}

/** DD1: a `member` directory without our format file has another owner, or lost it. */
function refuseForeign(files: DirectoryFiles, path: string, memberPath: string): void {
  const found = files.stat(memberPath);
  if (found === null) return;
  if (found.kind !== "directory") {
    throw refused(path, `"${memberPath}" is not a directory`, "a new or a member's directory");
  }
  const names = files.list(memberPath);
  const isOurs = names.includes("identity") || names.includes("backend");
  const hasWal = namesIn(files, `${memberPath}/wal`).some((n) => n.endsWith(".wal"));
  const isEtcd = !isOurs && (names.includes("snap") || hasWal);
  if (isEtcd) {
    throw refused(
      path,
      "it belongs to etcd",
      "another directory (`quorate utl import-etcd` makes one of ours from it)",
    );
  }
  // A lock file alone is what a start leaves that was cut short before DD2.
  const others = names.filter((name) => name !== "lock" && !name.startsWith("format."));
  if (others.length > 0) {
    throw refused(
      path,
      `"${memberPath}" has ${others.join(", ")} but no format file`,
      "a new directory, or the one of a member with all its files",
    );
  }
}

function namesIn(files: DirectoryFiles, directory: string): string[] {
  return files.stat(directory)?.kind === "directory" ? files.list(directory) : [];
}

function openLocked(options: DataDirOptions, memberPath: string, lock: DataDirLock): DataDir {
  const { path, files } = options;
  const formatPath = `${memberPath}/format`;
  if (files.stat(formatPath) === null) {
    files.replace(formatPath, fromBinaryString(`quorate ${formatVersion}\n`));
  }
  checkFormat(path, toBinaryString(files.read(formatPath)));
  const identityPath = `${memberPath}/identity`;
  const [walPath, backendPath] = [`${memberPath}/wal`, `${memberPath}/backend`];
  const identity =
    files.stat(identityPath) === null
      ? null
      : parseIdentity(path, toBinaryString(files.read(identityPath)));
  const hasData = namesIn(files, walPath).length + namesIn(files, backendPath).length > 0;
  if (identity === null && hasData) {
    throw refused(path, `"${identityPath}" is missing`, "the file that was beside this data");
  }
  files.makeDirectory(backendPath);
  return {
    walPath,
    backendPath,
    indexImagePath: `${memberPath}/index-image`,
    preparedPath: `${memberPath}/snap/next.mdb`,
    identity,
    saveIdentity: (saved) => files.replace(identityPath, fromBinaryString(identityText(saved))),
    release: () => lock.release(),
  };
}

/** Older formats would be upgraded here, in place; there is none before the first. */
function checkFormat(path: string, text: string): void {
  const match = /^quorate ([1-9][0-9]{0,8})\n$/.exec(text);
  if (match === null) {
    throw refused(path, `its format file says ${JSON.stringify(text)}`, '"quorate <version>"');
  }
  const version = Number(match[1]);
  if (version > formatVersion) {
    throw refused(
      path,
      `its format is version ${version}, written by a newer version of this program`,
      `version ${formatVersion} at most`,
    );
  }
}

const hex = (id: bigint): string => id.toString(16).padStart(16, "0");

function identityText({ clusterId, memberId }: DataDirIdentity): string {
  return `cluster ${hex(clusterId)}\nmember ${hex(memberId)}\n`;
}

function parseIdentity(path: string, text: string): DataDirIdentity {
  const match = /^cluster ([0-9a-f]{16})\nmember ([0-9a-f]{16})\n$/.exec(text);
  if (match === null) {
    throw refused(
      path,
      `its identity file says ${JSON.stringify(text)}`,
      "two lines with the ids of cluster and member",
    );
  }
  return { clusterId: BigInt(`0x${match[1]}`), memberId: BigInt(`0x${match[2]}`) };
}
