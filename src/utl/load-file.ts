/** Takes the rows of a database file of etcd into the backend of a new data directory. */
import { closeSync, openSync, readSync } from "node:fs";
import { dirname } from "node:path";
import { nodeDirectory } from "../io/node-directory.ts";
import type { Backend } from "../server/backend/backend.ts";
import type { ImageHead } from "../server/backend/image.ts";
import type { DataDir } from "../server/data-dir.ts";
import { done } from "./our-directory.ts";

const pieceBytes = 1 << 20;

/** All rows as they are; what was in the backend goes. */
export async function loadFile(
  directory: DataDir,
  backend: Backend,
  path: string,
): Promise<ImageHead> {
  const { preparedPath } = directory;
  nodeDirectory.makeDirectory(dirname(preparedPath));
  const into = backend.importImage(preparedPath);
  const file = openSync(path, "r");
  try {
    for (;;) {
      const piece = new Uint8Array(pieceBytes);
      const length = readSync(file, piece);
      if (length === 0) break;
      await done((callback) => {
        into.write(piece.subarray(0, length), callback);
      });
    }
  } finally {
    closeSync(file);
  }
  const head = await done<ImageHead>((callback) => {
    into.end(callback);
  });
  await done((callback) => {
    backend.replace(preparedPath, callback);
  });
  return head;
}
