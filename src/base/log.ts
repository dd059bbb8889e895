/** Structured logging. Levels as zap's; the real sink writes etcd's JSON lines (src/io). */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Logs, flushes and ends the process: used only where going on would break a promise. */
  fatal(message: string, fields?: LogFields): never;
}
