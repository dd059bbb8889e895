/** Standard input of the process, read only when a command asks for it. */
import type { Input } from "../context.ts";
import { looseText } from "./loose-text.ts";

const lineFeed = 10;

export class Stdin implements Input {
  #rest: Uint8Array = new Uint8Array(0);
  #chunks: AsyncIterator<Uint8Array> | undefined;

  get isTerminal(): boolean {
    return process.stdin.isTTY;
  }

  async line(): Promise<string> {
    for (let from = 0; ;) {
      const end = this.#rest.indexOf(lineFeed, from);
      if (end !== -1) return looseText(this.#take(end + 1));
      from = this.#rest.length;
      if (!(await this.#more())) return looseText(this.#take(from));
    }
  }

  async all(): Promise<Uint8Array> {
    while (await this.#more());
    return this.#take(this.#rest.length);
  }

  /** The terminal shows nothing meanwhile; one that cannot is asked all the same. */
  async hiddenLine(prompt: string): Promise<string> {
    process.stdout.write(prompt);
    const showEcho = this.isTerminal ? await hideEcho() : (): void => undefined;
    try {
      return (await this.line()).trim();
    } finally {
      showEcho();
      process.stdout.write("\n");
    }
  }

  /** Lets the process end though input is still open. */
  close(): void {
    if (this.#chunks !== undefined) process.stdin.destroy();
  }

  #take(count: number): Uint8Array {
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  async #more(): Promise<boolean> {
    this.#chunks ??= process.stdin[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    const next = await this.#chunks.next();
    if (next.done === true) return false;
    const joined = new Uint8Array(this.#rest.length + next.value.length);
    joined.set(this.#rest);
    joined.set(next.value, this.#rest.length);
    this.#rest = joined;
    return true;
  }
}

/** The line editing of the terminal stays, so that a mistyped letter can be taken back. */
async function hideEcho(): Promise<() => void> {
  const { spawnSync } = await import("node:child_process");
  const stty = (word: string): void => {
    spawnSync("stty", [word], { stdio: ["inherit", "ignore", "ignore"] });
  };
  const interrupted = (): void => {
    stty("echo");
    process.exit(255);
  };
  stty("-echo");
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  return () => {
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
    stty("echo");
  };
}
