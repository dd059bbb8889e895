import type { Caller } from "../../client/caller.ts";
import { KvArea } from "../../client/kv.ts";
import { LeaseArea } from "../../client/lease/lease-area.ts";
import type { KvWatchLease } from "../../client/types.ts";
import { WatchArea } from "../../client/watch/watch-area.ts";

/** What locks, elections and mirrors are made of. */
export function areasOf(caller: Caller): KvWatchLease {
  return { kv: new KvArea(caller), watch: new WatchArea(caller), lease: new LeaseArea(caller) };
}
