/** What the health pages ask of the server. */
import type { Done } from "../../base/ports.ts";

export interface HealthSource {
  /** Alarms that are on, each type once or more. */
  alarms(): readonly AlarmName[];
  hasLeader(): boolean;
  isLearner(): boolean;
  /** A read of one key without its value, as root; ends with etcd's error or a deadline. */
  read(isLinearizable: boolean, done: Done): void;
  versions(): Versions;
}

export type AlarmName = "NOSPACE" | "CORRUPT";

/** Null: not known yet. */
export interface Versions {
  readonly server: string;
  readonly cluster: string | null;
  readonly storage: string | null;
}
