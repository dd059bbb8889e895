/** A data directory of Go etcd. */
import { join } from "node:path";

/** Its database. */
export function goDatabasePath(dataDir: string): string {
  return join(dataDir, "member", "snap", "db");
}
