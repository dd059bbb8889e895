/**
 * A crash between the two steps of installing a snapshot leaves a log that begins behind the
 * snapshot, and a backend from before it. Then the prepared environment takes the backend's place.
 */

import type { Done } from "../base/ports.ts";
import type { StartNodeOptions } from "./start-node.ts";
import { openWal } from "./wal/open.ts";

type WalParts = "disk" | "checksum" | "random" | "walDirectory" | "clusterId" | "memberId";

export interface FinishInstallOptions extends Pick<StartNodeOptions, WalParts> {
  readonly now: () => number;
}

/** Whether the log says that a snapshot newer than the backend's `appliedIndex` was taken over. */
export function isInstallUnfinished(
  options: FinishInstallOptions,
  appliedIndex: number,
  done: Done<boolean>,
): void {
  const nothing = (): void => undefined;
  openWal(
    {
      ...options,
      directory: options.walDirectory,
      keepFrom: Infinity,
      durable: nothing,
      failed: nothing,
    },
    (error, opened) => {
      if (error !== null) {
        done(error, false);
        return;
      }
      const isUnfinished = opened.base !== null && opened.base.index > appliedIndex;
      opened.wal.close(() => {
        done(null, isUnfinished);
      });
    },
  );
}
