import { dirname } from "node:path";
import type { Clock, Random, Turn } from "../base/ports.ts";
import { nodeChecksum } from "../io/node-checksum.ts";
import { nodeDirectory } from "../io/node-directory.ts";
import { createNodeDisk } from "../io/node-disk.ts";
import type { Backend } from "./backend/backend.ts";
import { openLmdbBackend } from "./backend/lmdb.ts";
import { clearPrepared, takePrepared } from "./backend/lmdb-prepared.ts";
import type { DataDir, DataDirIdentity } from "./data-dir.ts";
import { isInstallUnfinished } from "./finish-install.ts";

export interface OpenBackendOptions {
  readonly directory: DataDir;
  readonly walDirectory: string;
  readonly identity: DataDirIdentity;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly random: Random;
}

/** Opens the backend, with the snapshot in it that a crash kept from being installed. */
export async function openBackend(options: OpenBackendOptions): Promise<Backend> {
  const { backendPath, preparedPath } = options.directory;
  const { turn } = options;
  const preparedDirectory = dirname(preparedPath);
  nodeDirectory.makeDirectory(preparedDirectory);
  const backend = openLmdbBackend({ directory: backendPath, turn });
  if (nodeDirectory.stat(preparedPath) === null || !(await isUnfinished(options, backend))) {
    clearPrepared(preparedDirectory);
    return backend;
  }
  await closeBackend(backend);
  takePrepared(backendPath, preparedPath);
  return openLmdbBackend({ directory: backendPath, turn });
}

export function closeBackend(backend: Backend): Promise<void> {
  return new Promise((resolve, reject) => {
    backend.close((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function isUnfinished(options: OpenBackendOptions, backend: Backend): Promise<boolean> {
  const { clock, random, walDirectory, identity } = options;
  const view = backend.view();
  const { consistentIndex } = view;
  view.close();
  return new Promise((resolve, reject) => {
    isInstallUnfinished(
      {
        ...{ random, walDirectory, ...identity, checksum: nodeChecksum },
        disk: createNodeDisk({ unsafeNoFsync: false }),
        now: () => clock.now(),
      },
      consistentIndex,
      (error, value) => {
        if (error === null) resolve(value);
        else reject(error);
      },
    );
  });
}
