/**
 * The process that gets killed: commits without pause, each commit rewriting one row in every
 * bucket and adding some, and prints the number of each one reported durable. With "defragment" it
 * also defragments over and over, and prints `d` at the end of each. With "replace" every commit is
 * followed by a replacement of the database by one with the same rows, made of its own file.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { buckets } from "../../src/server/backend/backend.ts";
import { openLmdbBackend } from "../../src/server/backend/lmdb.ts";
import { batchOf } from "./contract.ts";
import { plainTurn } from "./plain-turn.ts";
import { addedKey, latestKey, wholeness } from "./wholeness.ts";

const [directory = "", mode] = process.argv.slice(2);
const backend = openLmdbBackend({ directory, turn: plainTurn });
let index = wholeness(backend);

let isStopping = false;
const stop = (error: Error): void => {
  if (isStopping) return;
  isStopping = true;
  writeSync(1, `failed ${error.message}\n`);
  backend.commit(batchOf([["key", "late", "1"]]), (later) => {
    writeSync(1, `later ${later === null ? "committed" : "failed"}\n`);
    backend.close((closed) => writeSync(1, `closed ${closed === null ? "well" : "failed"}\n`));
  });
};

const commitNext = (): void => {
  const n = ++index;
  const rows = buckets.map((name) => [name, latestKey(name), String(n)] as const);
  const added = Array.from(
    { length: 20 },
    (_, i) => ["key", addedKey(n, i), "v".repeat(400)] as const,
  );
  const old = added.map((_, i) => ["key", addedKey(n - 40, i), null] as const);
  backend.commit(batchOf([...rows, ...added, ...old], n), (error) => {
    if (error !== null) {
      stop(error);
      return;
    }
    writeSync(1, `${n}\n`);
    if (mode === "replace") replaceBySame(commitNext, stop);
    else commitNext();
  });
};

/** What the rows were is what they are, at every moment. */
function replaceBySame(done: () => void, failed: (error: Error) => void): void {
  const path = join(directory, "snap", `${index}.next`);
  backend.exportImage((openError, from) => {
    if (openError !== null) {
      failed(openError);
      return;
    }
    const into = backend.importImage(path);
    const next = (error: Error | null): void => {
      if (error !== null) failed(error);
      else
        from.read((readError, piece) => {
          if (readError !== null) failed(readError);
          else if (piece !== null) into.write(piece, next);
          else into.end(prepared);
        });
    };
    const prepared = (error: Error | null): void => {
      from.close();
      if (error !== null) failed(error);
      else
        backend.replace(path, (replaceError) => {
          if (replaceError !== null) failed(replaceError);
          else done();
        });
    };
    next(null);
  });
}

const defragmentNext = (): void =>
  backend.defragment((error) => {
    writeSync(1, error === null ? "d\n" : `failed ${error.message}\n`);
    defragmentNext();
  });

commitNext();
if (mode !== "replace") commitNext();
if (mode === "defragment") defragmentNext();
