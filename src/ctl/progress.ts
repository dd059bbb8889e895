/** A bar on the terminal for long work; nothing where there is no terminal. */
import { humanBytes } from "../cli/humanize.ts";
import type { CtlCall } from "./commands/spec.ts";

const barWidth = 40;
/** Drawing more often is seen by nobody. */
const redrawMs = 100;

export class ProgressBar {
  readonly #write: ((text: string) => void) | undefined;
  readonly #label: (count: number) => string;
  #drawnAt = -Infinity;

  /** `unit`: what is counted. */
  constructor({ context, output }: CtlCall, unit: "bytes" | "count") {
    this.#write = context.isTerminal ? output.err : undefined;
    this.#label = unit === "bytes" ? humanBytes : String;
  }

  update(done: number, total: number): void {
    if (this.#write === undefined) return;
    const now = performance.now();
    if (now - this.#drawnAt < redrawMs && done < total) return;
    this.#drawnAt = now;
    const part = total === 0 ? 1 : Math.min(done / total, 1);
    const filled = Math.round(part * barWidth);
    const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
    const counts = `${this.#label(done)} / ${this.#label(total)}`;
    this.#write(`\r\x1b[K${bar} ${Math.floor(part * 100)}% ${counts}`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#drawnAt !== -Infinity) this.#write?.("\r\x1b[K");
  }
}
