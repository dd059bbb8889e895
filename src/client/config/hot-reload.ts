// Typed configuration from a key or a prefix that follows what is written there.
//
//   open ──▶ waiting ── good value of etcd ──────────────▶ current (source "etcd")
//               │                                             ▲  │ next good value
//               │ etcd silent or value bad, file good         │  ▼ bad value: an "error", the
//               └──────────────▶ current (source "file") ─────┘    last good one stays
//
// HR1  `current` is always something that `parse` returned; a bad value never replaces a good one.
// HR2  The file holds the input of the last good value of etcd, whole; it is written in the order
//      of the values, and one that was passed over meanwhile is not written.
// HR3  Values come in the order of their revisions, each once.
import { pause, systemClock, type ClientClock } from "../clock.ts";
import { Emitter } from "../emitter.ts";
import { Latest } from "../latest.ts";
import { LiveRange } from "../live-range.ts";
import type { KeyValue, KvWatchLease } from "../types.ts";
import { loadConfig, saveConfig, type SavedConfig } from "./config-file.ts";

export interface ConfigOptions<T> {
  /** The key, or with `prefix` what all keys begin with. */
  readonly key: string;
  /** All keys with the prefix; the input is then an object of the rests of the keys. */
  readonly prefix?: boolean;
  /**
   * Checks and types the input: the value as JSON, undefined if the key is not there. Throws when
   * it is no good. `schema.parse` of zod, say.
   */
  readonly parse: (input: unknown) => T;
  /** "text": values are given as text instead of JSON. Default "json". */
  readonly format?: "json" | "text";
  /** The last good value is kept here, and taken when etcd has none at the start. */
  readonly file?: string;
  /** Longest wait for etcd at the start before the file is taken. Default 5,000. */
  readonly startTimeoutMs?: number;
  /** For tests. */
  readonly clock?: ClientClock;
}

/** A value that is no good, or none at the start. `cause` is what `parse` threw. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** What a key holds: the text, since bytes live as long as the answer they came with. */
interface Entry {
  readonly text: string;
}

const startTimeoutMsDefault = 5_000;

/**
 * Events: `change` with the new value and the one before; `error` when a value is no good
 * (ConfigError), etcd failed and is tried again, or the file could not be written. Iterating gives
 * the current value and then the newest after each change.
 */
export class HotConfig<T>
  extends Emitter<{ change: [current: T, former: T]; error: [Error] }>
  implements AsyncIterable<T>
{
  readonly #options: ConfigOptions<T>;
  readonly #latest = new Latest<T>();
  readonly #live: LiveRange<Entry>;
  #current: { readonly value: T } | null = null;
  #source: "etcd" | "file" = "etcd";
  #revision = 0;
  /** Inputs as JSON, the one looked at last and the current one: what is the same is no change. */
  #seen: string | null = null;
  #taken: string | null = null;
  #lastError: Error | null = null;
  #toSave: SavedConfig | null = null;
  #saving: Promise<void> | null = null;
  /** Ends the wait at the start. */
  readonly #heard = new AbortController();

  private constructor(client: KvWatchLease, options: ConfigOptions<T>) {
    super();
    this.#options = options;
    const listener = {
      read: (kv: KeyValue) => ({ text: kv.string() }),
      changed: (state: ReadonlyMap<string, Entry>, revision: number) =>
        this.#changed(state, revision),
      failed: (error: Error) => this.#failed(error),
    };
    const range = options.prefix === true ? { prefix: true } : {};
    this.#live = new LiveRange(client, options.key, range, listener, options.clock);
  }

  /**
   * Resolves with the first good value: of etcd, else of the file. Throws ConfigError when neither
   * has one.
   */
  static async open<T>(client: KvWatchLease, options: ConfigOptions<T>): Promise<HotConfig<T>> {
    const config = new HotConfig(client, options);
    const { clock = systemClock, startTimeoutMs = startTimeoutMsDefault } = options;
    await pause(startTimeoutMs, clock, config.#heard.signal);
    if (config.#current !== null) return config;
    try {
      await config.#takeFile();
      return config;
    } catch (error) {
      await config.close();
      throw error;
    }
  }

  get current(): T {
    return this.#current!.value; // `open` gives out none without
  }

  /** Where the current value is from; a file's is replaced when etcd answers. */
  get source(): "etcd" | "file" {
    return this.#source;
  }

  /** Of etcd, when the current value was seen there last. */
  get revision(): number {
    return this.#revision;
  }

  /** What went wrong last, null after a good value. */
  get lastError(): Error | null {
    return this.#lastError;
  }

  [Symbol.asyncIterator](): AsyncGenerator<T, void> {
    return this.#latest.values();
  }

  /** Ends the watch and the iterations, and waits until the file is written. */
  async close(): Promise<void> {
    this.#latest.end();
    await this.#live.close();
    await this.#saving;
  }

  #changed(state: ReadonlyMap<string, Entry>, revision: number): void {
    try {
      const input = this.#inputOf(state);
      const seen = jsonOf(input);
      if (seen === this.#taken) this.#confirm(seen, revision);
      else if (seen !== this.#seen) {
        this.#seen = seen;
        const value = this.#parsed(input);
        this.#confirm(seen, revision);
        this.#take(value, seen);
        this.#save({ revision, input });
      }
    } catch (error) {
      this.#failed(error as Error);
    } finally {
      this.#heard.abort();
    }
  }

  #inputOf(state: ReadonlyMap<string, Entry>): unknown {
    const { key, prefix } = this.#options;
    if (prefix !== true) {
      const entry = state.get(key);
      return entry === undefined ? undefined : this.#decoded(key, entry);
    }
    const all = [...state].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(
      all.map(([name, entry]) => [name.slice(key.length), this.#decoded(name, entry)]),
    );
  }

  #decoded(key: string, { text }: Entry): unknown {
    if (this.#options.format === "text") return text;
    try {
      return JSON.parse(text);
    } catch (cause) {
      this.#seen = null;
      throw new ConfigError(`The value of "${key}" is no JSON`, { cause });
    }
  }

  #parsed(input: unknown): T {
    try {
      return this.#options.parse(input);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ConfigError(`The configuration at "${this.#options.key}" is no good: ${why}`, {
        cause,
      });
    }
  }

  #take(value: T, input: string): void {
    const former = this.#current;
    this.#current = { value };
    this.#taken = input;
    this.#latest.set(value);
    if (former !== null) this.emit("change", value, former.value);
  }

  /** The current value is that of etcd. */
  #confirm(input: string, revision: number): void {
    this.#seen = input;
    this.#source = "etcd";
    this.#revision = revision;
    this.#lastError = null;
  }

  async #takeFile(): Promise<void> {
    const { file, key } = this.#options;
    const cause = this.#lastError ?? new Error("etcd did not answer in time");
    const none = (why: string, of: unknown): ConfigError =>
      new ConfigError(`No configuration at "${key}" (${cause.message})${why}`, { cause: of });
    if (file === undefined) throw none("", cause);
    const saved = await loadConfig(file).catch((error: unknown) => {
      throw none(`, nor in ${file}`, error);
    });
    if (this.#current !== null) return; // etcd answered meanwhile
    if (saved === null) throw none(`, and no ${file}`, cause);
    this.#take(this.#parsed(saved.input), jsonOf(saved.input));
    this.#source = "file";
    this.#revision = saved.revision;
  }

  #failed(error: Error): void {
    this.#lastError = error;
    this.emit("error", error);
  }

  #save(saved: SavedConfig): void {
    const { file } = this.#options;
    if (file === undefined) return;
    this.#toSave = saved; // HR2
    this.#saving ??= this.#saveAll(file);
  }

  async #saveAll(file: string): Promise<void> {
    for (let next = this.#toSave; next !== null; next = this.#toSave) {
      this.#toSave = null;
      await saveConfig(file, next).catch((error: unknown) => this.#failed(error as Error));
    }
    this.#saving = null;
  }
}

function jsonOf(input: unknown): string {
  return JSON.stringify(input) ?? ""; // undefined has no JSON
}
