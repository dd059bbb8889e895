import * as fs from "node:fs";
import { dirname } from "node:path";

/** What is at a path, its permission bits included. */
export interface PathFacts {
  readonly kind: "file" | "directory" | "other";
  readonly mode: number;
}

/** Blocking file operations for the start of the process. All throw what the system says. */
export const nodeDirectory = {
  /** Null if there is nothing; links are followed. */
  stat(path: string): PathFacts | null {
    const found = fs.statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return null;
    const kind = found.isFile() ? "file" : found.isDirectory() ? "directory" : "other";
    return { kind, mode: found.mode & 0o7777 };
  },

  list(directory: string): string[] {
    return fs.readdirSync(directory);
  },

  /** Mode 0700, missing parents too; an existing one stays as it is. Durable. */
  makeDirectory(path: string): void {
    const first = fs.mkdirSync(path, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    // Each new name is an entry of its parent.
    for (let made = path; ; made = dirname(made)) {
      syncDirectory(dirname(made));
      if (made === first || made === dirname(made)) return;
    }
  },

  read(path: string): Uint8Array {
    const bytes = fs.readFileSync(path);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  },

  /** Mode 0600. After any crash the file is as before or as given. */
  replace(path: string, bytes: Uint8Array): void {
    const next = `${path}.tmp`;
    const file = fs.openSync(next, "w", 0o600);
    try {
      fs.writeFileSync(file, bytes);
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
    fs.renameSync(next, path);
    syncDirectory(dirname(path));
  },
};

export function syncDirectory(path: string): void {
  const directory = fs.openSync(path, "r");
  try {
    fs.fsyncSync(directory);
  } finally {
    fs.closeSync(directory);
  }
}
