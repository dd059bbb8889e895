/** What the commands of `utl` are given by the process. */
import type { Call, CliOutput } from "../cli/command.ts";

export interface UtlContext {
  /** Wall time in milliseconds since 1970. */
  readonly wallMs: () => number;
}

export type UtlCall = Call<UtlContext>;

/** Lines on stderr in the form of etcd's tools: time, level, message, fields. */
export class ConsoleLog {
  readonly #output: CliOutput;
  readonly #wallMs: () => number;

  constructor({ output, context }: UtlCall) {
    this.#output = output;
    this.#wallMs = context.wallMs;
  }

  info(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#write("info", message, fields);
  }

  warn(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#write("warn", message, fields);
  }

  #write(level: string, message: string, fields: Readonly<Record<string, unknown>>): void {
    const time = new Date(this.#wallMs()).toISOString().replace(/\.\d+Z$/, "Z");
    const pairs = Object.entries(fields).map(
      ([k, v]) => `${JSON.stringify(k)}: ${JSON.stringify(v)}`,
    );
    const shown = pairs.length === 0 ? "" : `\t{${pairs.join(", ")}}`;
    this.#output.err(`${time}\t${level}\t${message}${shown}\n`);
  }
}
