import type { Logger } from "../../base/log.ts";
import type { Clock } from "../../base/ports.ts";

/** The others still get what this member has to send, in ms (as in etcd). */
const graceMs = 1000;

/** The local member was removed: ends it, with etcd's words, after a moment for what is under way. */
export function endRemovedMember(
  parts: { readonly clock: Clock; readonly log: Logger },
  stop: () => void,
): void {
  parts.clock.after(graceMs, () => {
    const error = "the member has been permanently removed from the cluster";
    parts.log.warn("server error", { error });
    parts.log.warn("data-dir used by this member must be removed");
    stop();
  });
}
