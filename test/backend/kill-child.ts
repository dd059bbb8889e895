/**
 * The process that gets killed: commits without pause, each commit rewriting one row in every
 * bucket and adding some, and prints the number of each one reported durable. With "defragment" it
 * also defragments over and over, and prints `d` at the end of each.
 */
import { writeSync } from "node:fs";
import { buckets } from "../../src/server/backend/backend.ts";
import { openLmdbBackend } from "../../src/server/backend/lmdb.ts";
import { batchOf } from "./contract.ts";
import { plainTurn } from "./plain-turn.ts";
import { wholeness } from "./wholeness.ts";

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
  const rows = buckets.map((name) => [name, "latest", String(n)] as const);
  const added = Array.from(
    { length: 20 },
    (_, i) => ["key", `row-${n}-${i}`, "v".repeat(400)] as const,
  );
  const old = added.map((_, i) => ["key", `row-${n - 40}-${i}`, null] as const);
  backend.commit(batchOf([...rows, ...added, ...old], n), (error) => {
    if (error !== null) {
      stop(error);
      return;
    }
    writeSync(1, `${n}\n`);
    commitNext();
  });
};

const defragmentNext = (): void =>
  backend.defragment((error) => {
    writeSync(1, error === null ? "d\n" : `failed ${error.message}\n`);
    defragmentNext();
  });

commitNext();
commitNext();
if (mode === "defragment") defragmentNext();
