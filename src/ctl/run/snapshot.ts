import { humanBytes } from "../../cli/humanize.ts";
import { ExitError, exitCode } from "../../cli/run.ts";
import { errorText } from "../../cli/system-error.ts";
import { formatDuration } from "../../cli/go-value.ts";
import { MaintenanceArea } from "../../client/maintenance.ts";
import type { SavedSnapshot } from "../../client/snapshot.ts";
import type { CtlCall } from "../commands/spec.ts";
import { logLine } from "../log.ts";
import { ProgressBar } from "../progress.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import { clientOptions } from "../settings.ts";
import { badUse } from "./get.ts";

export async function runSave(call: CtlCall): Promise<void> {
  const [path] = call.args;
  if (path === undefined || call.args.length !== 1) {
    throw badUse("snapshot save expects one argument <filename>");
  }
  const session = await openSession(call);
  clientOptions(session.settings); // certificates that cannot be read are bad arguments
  const { version } = await saved(session, path);
  session.print(`Snapshot saved at ${path}\n`);
  if (version !== "") session.print(`Server version ${version}\n`);
}

/** Whatever fails is said to be an interruption. */
async function saved(session: Session, path: string): Promise<SavedSnapshot> {
  const { endpoints } = session.settings;
  if (endpoints.length !== 1) {
    throw new ExitError(
      exitCode.interrupted,
      `snapshot must be requested to one selected node, not multiple [${endpoints.join(" ")}]`,
    );
  }
  try {
    return await session.run(({ caller }) => save(session, new MaintenanceArea(caller), path), {
      isRaw: true,
    });
  } catch (error) {
    const text = error instanceof ExitError ? error.message : String(error);
    throw new ExitError(exitCode.interrupted, text, { cause: error });
  }
}

async function save(
  session: Session,
  maintenance: MaintenanceArea,
  path: string,
): Promise<SavedSnapshot> {
  const { call, settings } = session;
  const log = (msg: string, fields: Readonly<Record<string, string>>): void => {
    // On a terminal the bar tells as much.
    if (!call.context.isTerminal) call.output.err(logLine("info", msg, fields));
  };
  const isLimited = call.flags.isChanged("command-timeout");
  const snapshot = maintenance.snapshot(isLimited ? session.short : session.patient);
  const bar = new ProgressBar(call, "bytes");
  const started = process.hrtime.bigint();
  const endpoint = settings.endpoints[0]!;
  log("fetching snapshot", { endpoint, path: `${path}.part` });
  try {
    const result = await snapshot.saveTo(path, {
      onProgress: ({ receivedBytes, remainingBytes }) => {
        bar.update(receivedBytes, receivedBytes + remainingBytes);
      },
    });
    const took = formatDuration(process.hrtime.bigint() - started);
    log("fetched snapshot", { endpoint, size: humanBytes(result.bytes), took });
    log("saved", { path });
    return result;
  } catch (error) {
    throw fileProblem(error, path);
  } finally {
    bar.end();
  }
}

function fileProblem(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !("syscall" in error)) return error;
  const text = errorText(error);
  if (error.syscall === "open") return new Error(`could not open ${path}.part (${text})`);
  if (error.syscall === "rename") {
    return new Error(`could not rename ${path}.part to ${path} (${text})`);
  }
  return new Error(`could not write snapshot: ${text}`);
}
