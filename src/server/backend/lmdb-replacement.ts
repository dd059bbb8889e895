import { must } from "../../base/assert.ts";
import { existsSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { openEnv } from "./lmdb-env.ts";
import type { LmdbEnv } from "./lmdb-env.ts";
import { syncDirectory } from "./lmdb-file.ts";

interface ReplacementDeps {
  /** The owner shall open the environment. */
  readonly ready: () => void;
  /** Given up; the database is as it was, and so is what should have replaced it. */
  readonly ended: (error: string) => void;
}

/**
 * Puts a prepared environment in the place of the database, on the writer thread.
 *
 * LP1  Until the rename the database is as it was; the rename puts a whole and flushed one there.
 */
export class Replacement {
  readonly #deps: ReplacementDeps;
  readonly #path: string;
  #env: LmdbEnv | null = null;

  constructor(path: string, deps: ReplacementDeps) {
    this.#path = path;
    this.#deps = deps;
  }

  /** Calls `ready` or `ended`. */
  begin(): void {
    try {
      // LMDB would make an empty one.
      if (!existsSync(this.#path)) throw new Error("there is no prepared environment");
      this.#env = openEnv(this.#path);
    } catch (error) {
      this.abandon(String(error));
      return;
    }
    this.#deps.ready();
  }

  /** Nothing may be committed until the swap: it would be lost. */
  get isHolding(): boolean {
    return true;
  }

  /** What is committed meanwhile is lost with the database, as the owner knows. */
  record(): void {}

  /** It takes a moment only, and then it has ended. */
  cancel(): void {}

  abandon(reason: string): void {
    void this.#env?.root.close();
    this.#env = null;
    this.#deps.ended(`${this.#path}: ${reason}`);
  }

  /** LP1; null if the rename failed and it was given up. */
  install(databasePath: string): LmdbEnv | null {
    try {
      renameSync(this.#path, databasePath);
    } catch (error) {
      this.abandon(String(error));
      return null;
    }
    const lock = `${this.#path}-lock`;
    renameSync(lock, `${databasePath}-lock`);
    syncDirectory(dirname(databasePath));
    syncDirectory(dirname(this.#path));
    const env = must(this.#env);
    this.#env = null;
    return env;
  }
}
