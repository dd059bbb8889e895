/** `quorate server`: from the command line to a running server, and back to an exit code. */
import { readFileSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { Histogram } from "../base/metrics.ts";
import { etcdVersion } from "../base/version.ts";
import { createNodeClock, createNodeTurn } from "../io/node-clock.ts";
import type { NodeLog } from "../io/node-log.ts";
import { createNodeLog } from "../io/node-log.ts";
import { logMemoryPlan, watchMemory } from "../io/node-memory.ts";
import { notifySystemd } from "../io/node-notify.ts";
import { nodeProcessStats } from "../io/node-process-stats.ts";
import { createNodeRandom } from "../io/node-random.ts";
import type { Note } from "./config/command-line.ts";
import type { ServerConfig } from "./config/config.ts";
import { readConfig } from "./config/config.ts";
import { turnBounds } from "./metrics/names.ts";
import type { RunningServer, ServerIo, StartServer } from "./start.ts";

/** Runs until a signal ends it. @param ownVersion Quorate's own, shown beside etcd's */
export async function serverMain(
  args: readonly string[],
  ownVersion: string,
  loadStart: () => Promise<StartServer>,
): Promise<void> {
  const outcome = readConfig({
    args,
    env: process.env,
    readFile,
    versionText: versionText(ownVersion),
  });
  if (outcome.kind === "exit") {
    process.stdout.write(outcome.stdout);
    process.stderr.write(outcome.stderr);
    if (outcome.notes.length > 0) {
      const log = createNodeLog({ level: "info", format: "json", outputs: ["stderr"] }, () => {
        throw new Error("a note of level fatal is written, not obeyed");
      });
      writeNotes(log, outcome.notes);
      await log.close();
    }
    process.exitCode = outcome.code;
    return;
  }
  const { config, notes } = outcome;
  const log = createNodeLog({
    level: config.logLevel,
    format: config.logFormat,
    outputs: config.logOutputs,
  });
  writeNotes(log, notes);
  log.info("Running: ", { args: process.argv });
  await run(config, log, await loadStart());
}

/** Go's text for a file that is not there; others keep Node's. */
function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new Error(`open ${path}: no such file or directory`);
    if (code === "EACCES") throw new Error(`open ${path}: permission denied`);
    throw error;
  }
}

function versionText(ownVersion: string): string {
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  return [
    `etcd Version: ${etcdVersion}`,
    `Quorate Version: ${ownVersion}`,
    `Node Version: ${process.version}`,
    `OS/Arch: ${process.platform}/${arch}`,
    "",
  ].join("\n");
}

function writeNotes(log: NodeLog, notes: readonly Note[]): void {
  for (const { level, message, fields } of notes) {
    if (level === "info") log.info(message, fields);
    else if (level === "warn") log.warn(message, fields);
    else writeFatal(log, message, fields);
  }
}

function writeFatal(log: NodeLog, message: string, fields: Note["fields"]): void {
  try {
    log.fatal(message, fields);
  } catch {
    // The caller decides the exit code.
  }
}

async function run(config: ServerConfig, log: NodeLog, start: StartServer): Promise<void> {
  dieLoudly(log);
  const { promise: asked, resolve: end } = Promise.withResolvers<EndSignal | "removed">();
  firstSignal(end);
  const turnSeconds = new Histogram(turnBounds);
  const turn = createNodeTurn(turnSeconds);
  const clock = createNodeClock(turn);
  const plan = logMemoryPlan(log);
  watchMemory(log, clock);
  const io = {
    clock,
    turn,
    turnSeconds,
    random: createNodeRandom(),
    log,
    processStats: nodeProcessStats,
    overlayBytesMax: plan.overlayBytesMax,
    ready: () => {
      notifySystemd("--ready", log);
    },
    removed: () => {
      end("removed");
    },
  };
  const starting = startOrDie(start, config, io);
  // A start may wait for the cluster for ever, and the end does not wait for that.
  const early = await Promise.race([starting.then(() => null), asked]);
  const signal = early ?? (await asked);
  if (signal !== "removed") {
    log.info("received signal; shutting down", { signal: signalText[signal] });
  }
  notifySystemd("--stopping", log);
  // A member that is still starting has served nobody, and its disk stands any end.
  if (early === null) await (await starting).close();
  await log.close();
  if (signal === "removed") process.exit(0);
  if (process.pid === 1) process.exit(0); // the kernel does not let signals end the first process
  // Ends by the signal that was sent, so that whoever sent it sees it.
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

async function startOrDie(
  start: StartServer,
  config: ServerConfig,
  io: ServerIo & { readonly log: NodeLog },
): Promise<RunningServer> {
  try {
    const server = await start(config, io);
    flushCompileCache(); // now, as a kill leaves no time for it
    return server;
  } catch (error) {
    await io.log.settled();
    // etcd uses this message whatever the cause; tools look for it.
    return io.log.fatal("discovery failed", { error });
  }
}

type EndSignal = "SIGTERM" | "SIGINT";

const signalText: Readonly<Record<EndSignal, string>> = {
  SIGTERM: "terminated",
  SIGINT: "interrupt",
};

/** The first signal ends cleanly; the same one again, while closing, ends at once. */
function firstSignal(end: (signal: EndSignal) => void): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      end(signal);
    });
  }
}

/** A bug must not leave a half-working member behind: say it and end. */
function dieLoudly(log: NodeLog): void {
  const die = (error: unknown): void => {
    const text = error instanceof Error ? error.stack : String(error);
    log.fatal("unexpected failure; stopping", { error: text });
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
}
