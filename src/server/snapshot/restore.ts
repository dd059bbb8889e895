import { emptyBytes, utf8 } from "../../base/bytes.ts";
import type { Done } from "../../base/ports.ts";
import { Batch } from "../backend/backend.ts";
import type { Backend, Bucket } from "../backend/backend.ts";
import type { ImageHead } from "../backend/image.ts";

/** A database file from elsewhere, in pieces. */
export interface DatabaseFile {
  /** The next piece, up to about 1 MiB; null at the end. */
  read(done: Done<Uint8Array | null>): void;
}

export interface RestoreOptions {
  /** Of a data directory without a log. */
  readonly backend: Backend;
  readonly file: DatabaseFile;
  /** Where the prepared environment may be meanwhile. */
  readonly path: string;
}

/** Rows of `meta` that belong to a log which does not come along. */
const logRows = ["consistent_index", "term", "confState"];
const memberBuckets: readonly Bucket[] = ["members", "members_removed", "cluster"];

/**
 * Takes over the data of a database file, not its cluster: keys, leases, alarms and auth stay, and
 * the member begins a new log with members of its own. @forTests
 */
export function restoreSnapshot(options: RestoreOptions, done: Done<ImageHead>): void {
  const { backend, file, path } = options;
  const into = backend.importImage(path);
  const fail = (error: Error): void => {
    into.abort();
    done(error, null as unknown as ImageHead);
  };
  const next = (): void => {
    file.read((error, piece) => {
      if (error !== null) fail(error);
      else if (piece === null) into.end(prepared);
      else into.write(piece, written);
    });
  };
  const written = (error: Error | null): void => {
    if (error === null) next();
    else fail(error);
  };
  const prepared = (error: Error | null, head: ImageHead): void => {
    if (error !== null) {
      fail(error);
      return;
    }
    backend.replace(path, (replaceError) => {
      if (replaceError !== null) done(replaceError, head);
      else
        backend.commit(withoutCluster(backend), (commitError) => {
          done(commitError, head);
        });
    });
  };
  next();
}

/** Removes what says who the members were and where their log stood. */
function withoutCluster(backend: Backend): Batch {
  const batch = new Batch();
  for (const name of logRows) batch.delete("meta", utf8(name));
  deleteMembers(batch, backend);
  return batch;
}

/** Adds the removal of all rows that say who the members are. */
export function deleteMembers(batch: Batch, backend: Backend): void {
  const view = backend.view();
  for (const bucket of memberBuckets) {
    view.range(bucket, emptyBytes, null, (key) => {
      batch.delete(bucket, key.slice());
      return true;
    });
  }
  view.close();
}
