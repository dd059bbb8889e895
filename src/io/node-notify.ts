/**
 * systemd readiness (sd_notify). Node cannot send on unix datagram sockets, so the program
 * `systemd-notify` of the same machine does it; a unit needs `NotifyAccess=all` for that.
 */
import { execFile } from "node:child_process";
import type { LogFields } from "../base/log.ts";

interface NotifyLog {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
}

/** Longest time the helper may take. */
const notifyTimeoutMs = 5_000;

/** Tells systemd the state, for example `READY=1`. Does nothing outside of systemd. */
export function notifySystemd(state: string, log: NotifyLog): void {
  if (process.env["NOTIFY_SOCKET"] === undefined) return;
  execFile("systemd-notify", [state], { timeout: notifyTimeoutMs }, (error) => {
    if (error === null) {
      log.info("notified init daemon", { state });
    } else {
      log.warn("failed to notify systemd; the program systemd-notify is needed for it", { error });
    }
  });
}
