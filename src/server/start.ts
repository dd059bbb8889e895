/** What the process gives the server and gets from it. */
import type { Logger } from "../base/log.ts";
import type { Histogram } from "../base/metrics.ts";
import type { Clock, Random, Turn } from "../base/ports.ts";
import type { ServerConfig } from "./config/config.ts";
import type { ProcessStats } from "./metrics/process-metrics.ts";

export interface ServerIo {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly random: Random;
  readonly log: Logger;
  readonly processStats: ProcessStats;
  /** How long the event loop's turns were busy; filled by `turn`. */
  readonly turnSeconds: Histogram;
  /** Bound of the backend's overlay, from the memory the process may use. */
  readonly overlayBytesMax: number;
  /** Called once, when clients are served. */
  readonly ready: () => void;
  /** Called once, when this member was removed from its cluster: it is to be closed. */
  readonly removed: () => void;
}

export interface RunningServer {
  close(): Promise<void>;
}

/** Resolves when clients are served; rejects with the reason why they cannot be. */
export type StartServer = (config: ServerConfig, io: ServerIo) => Promise<RunningServer>;
