/** Lines of log on standard error, as Go's client writes them: one JSON object each. */
import type { GoJson } from "./print/go-json.ts";
import { toGoJson } from "./print/go-json.ts";

export type LogLevel = "info" | "warn" | "error" | "fatal";

export function logLine(
  level: LogLevel,
  msg: string,
  fields: Readonly<Record<string, GoJson>> = {},
): string {
  return `${toGoJson({ level, ts: new Date().toISOString(), msg, ...fields })}\n`;
}
