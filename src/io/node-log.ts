/** Log lines in etcd's form, written without ever waiting for their reader. */
import { openSync, writeSync } from "node:fs";
import pino from "pino";
import type { LogFields, Logger } from "../base/log.ts";

type LogLevel = "debug" | "info" | "warn" | "error" | "panic" | "fatal";

export interface NodeLogOptions {
  /** Lines below it are dropped. */
  readonly level: LogLevel;
  readonly format: "json" | "console";
  /** `default` (stderr), `stderr`, `stdout` or file paths. */
  readonly outputs: readonly string[];
}

export interface NodeLog extends Logger {
  /**
   * Resolves when everything is written, or its reader is too slow. Before `fatal`, where there is
   * time for it: no line under way comes behind the last one.
   */
  settled(): Promise<void>;
  /** Resolves when everything is written, or its reader is too slow; what follows is dropped. */
  close(): Promise<void>;
}

interface Destination {
  write(line: string): unknown;
  flushSync(): void;
}

/** Longest time the end of the process waits for a slow reader. */
const closeMsMax = 1_000;
/** Time for the write under way when the process must end at once. */
const lastWriteMs = 50;

/**
 * Makes the log. A reader that is too slow costs memory up to a bound, then lines: the server never
 * waits for it. Throws when a file cannot be opened.
 */
export function createNodeLog(options: NodeLogOptions, end = endProcess): NodeLog {
  const destinations = options.outputs.map(open);
  let isEnding = false;
  let isClosed = false;
  const all: Destination = {
    write: (line) => {
      if (isClosed) return;
      for (const output of destinations) {
        if (isEnding) {
          writeNow(output, line);
        } else {
          output.isIdle = false;
          output.stream.write(line);
        }
      }
    },
    flushSync: () => {
      for (const output of destinations) flush(output);
    },
  };
  const write =
    options.format === "json" ? jsonWriter(options.level, all) : consoleWriter(options.level, all);
  return {
    debug: (message, fields) => {
      write("debug", message, fields);
    },
    info: (message, fields) => {
      write("info", message, fields);
    },
    warn: (message, fields) => {
      write("warn", message, fields);
    },
    error: (message, fields) => {
      write("error", message, fields);
    },
    fatal: (message, fields) => {
      // A write under way is with another thread, and only time tells that it is done.
      if (!destinations.every((output) => output.isIdle)) pause(lastWriteMs);
      all.flushSync();
      isEnding = true;
      write("fatal", message, fields);
      isEnding = false;
      return end();
    },
    settled: async () => {
      await Promise.all(destinations.map(settle));
    },
    close: async () => {
      isClosed = true;
      await Promise.all(destinations.map(finish));
    },
  };
}

function endProcess(): never {
  process.exit(1);
}

type WrittenLevel = Exclude<LogLevel, "panic">;
type Write = (level: WrittenLevel, message: string, fields?: LogFields) => void;

/** Bytes waiting for a slow reader before lines are dropped. */
const pendingBytesMax = 16 * 1024 * 1024;

/** Blocks; only for the end of the process. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Writes past the buffer. A full pipe gets a few more chances. */
function writeNow(output: Output, line: string): void {
  for (let attempt = 0; attempt < 10; attempt++) {
    try {
      writeSync(output.fd, line);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      pause(lastWriteMs);
    }
  }
}

interface Output {
  readonly stream: ReturnType<typeof pino.destination>;
  readonly fd: number;
  /** Nothing waits and nothing is under way. */
  isIdle: boolean;
}

function settle(output: Output): Promise<void> {
  if (output.isIdle) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, closeMsMax);
    output.stream.once("drain", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function finish({ stream }: Output): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, closeMsMax);
    stream.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    stream.end();
  });
}

function open(name: string): Output {
  const std = name === "default" || name === "stderr" ? 2 : name === "stdout" ? 1 : null;
  const fd = std ?? openSync(name, "a", 0o600);
  const stream = pino.destination({ dest: fd, sync: false, maxLength: pendingBytesMax });
  const output = { stream, fd, isIdle: true };
  stream.on("drain", () => {
    output.isIdle = true;
  });
  stream.on("error", () => {
    // A reader that went away (EPIPE) or a full disk must not stop the server.
  });
  return output;
}

function flush({ stream }: Output): void {
  try {
    stream.flushSync();
  } catch {
    // Not open yet, or its reader is gone: nothing more can be done for these lines.
  }
}

function jsonWriter(level: LogLevel, destination: Destination): Write {
  const log = pino(
    {
      level: level === "panic" ? "fatal" : level,
      base: null,
      timestamp: () => `,"ts":"${timestamp()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return (at, message, fields) => {
    log[at](fields === undefined ? {} : plain(fields), message);
  };
}

const levelOrder: readonly LogLevel[] = ["debug", "info", "warn", "error", "panic", "fatal"];

/** Tab-separated, fields as JSON behind the message. */
function consoleWriter(level: LogLevel, destination: Destination): Write {
  const least = levelOrder.indexOf(level);
  return (at, message, fields) => {
    if (levelOrder.indexOf(at) < least) return;
    const tail = fields === undefined ? "" : `\t${JSON.stringify(plain(fields))}`;
    destination.write(`${timestamp()}\t${at}\t${message}${tail}\n`);
  };
}

/** Errors as their text, 64-bit numbers as digits: as etcd logs them. */
function plain(fields: LogFields): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    out[key] =
      value instanceof Error ? value.message : typeof value === "bigint" ? value.toString() : value;
  }
  return out;
}

/** Wall clock with microseconds: 2026-01-02T03:04:05.000006Z. */
function timestamp(): string {
  const micros = Math.round((performance.timeOrigin + performance.now()) * 1000);
  const millis = Math.floor(micros / 1000);
  const rest = String(micros - millis * 1000).padStart(3, "0");
  return `${new Date(millis).toISOString().slice(0, -1)}${rest}Z`;
}
