// Writers that know what happened and watchers that keep what they were told, to be compared by
// the rules of watches (test/model/watch-rules.ts).
import { toBinaryString } from "../../src/base/bytes.ts";
import type { Random } from "../../src/base/ports.ts";
import type { EtcdClient } from "../../src/client/client.ts";
import { op } from "../../src/client/op.ts";
import type { Header, Watcher, WatchBatch, WatchOptions } from "../../src/client/types.ts";
import type { Change } from "../check/watch-history.ts";
import type { SeenEvent, SeenResponse, WatchRecord } from "../model/watch-rules.ts";

/** The only one who writes below its prefix: it knows every change by its answers. */
export class KnowingWriter {
  readonly changes: Change[] = [];
  readonly #client: EtcdClient;
  readonly #prefix: string;
  readonly #random: Random;
  #count = 0;

  constructor(client: EtcdClient, prefix: string, random: Random) {
    this.#client = client;
    this.#prefix = prefix;
    this.#random = random;
  }

  get revision(): number {
    return this.changes.at(-1)?.revision ?? 0;
  }

  /** One change: a put, a delete, or a transaction of several puts. */
  async step(): Promise<void> {
    const choice = this.#random.below(10);
    if (choice < 5) await this.put(this.#key());
    else if (choice < 8) await this.#putAll(2 + this.#random.below(3));
    else await this.delete(this.#key());
  }

  async put(name: string): Promise<void> {
    const key = this.#prefix + name;
    const value = `v${++this.#count}`;
    const { header } = await this.#client.kv.put(key, value);
    this.#changed(header, key, value);
  }

  async delete(name: string): Promise<void> {
    const key = this.#prefix + name;
    const { header, deleted } = await this.#client.kv.delete(key);
    if (deleted > 0) this.#changed(header, key, null);
  }

  async #putAll(count: number): Promise<void> {
    const names = new Set<string>();
    while (names.size < count) names.add(this.#key());
    const puts = [...names].map((name) => {
      return { key: this.#prefix + name, value: `v${++this.#count}` };
    });
    const ops = puts.map(({ key, value }) => op.put(key, value));
    const { header } = await this.#client.kv
      .txn()
      .then(...ops)
      .commit();
    for (const { key, value } of puts) this.#changed(header, key, value);
  }

  #key(): string {
    return `k${this.#random.below(6)}`;
  }

  #changed({ revision }: Header, key: string, value: string | null): void {
    this.changes.push({ revision, kv: { key, value: value ?? "" }, isDelete: value === null });
  }
}

export interface Watched {
  readonly name: string;
  readonly key: string;
  readonly options: WatchOptions;
  /** Takes the batches as a loop does, or as a listener. */
  readonly isLoop: boolean;
}

/** A watch and all that it was told. */
export class RecordedWatch {
  readonly record: WatchRecord;
  readonly watcher: Watcher;
  readonly #responses: SeenResponse[] = [];
  readonly #isDeleteBlind: boolean;
  readonly #looks = new Set<() => void>();
  error: Error | null = null;

  constructor(client: EtcdClient, { name, key, options, isLoop }: Watched) {
    this.watcher = client.watch.watch(key, options);
    const { startRevision = 0, noPut = false, noDelete = false, prevKv = false } = options;
    this.#isDeleteBlind = noDelete;
    this.record = {
      ...{ name, start: key, startRevision, noPut, noDelete, prevKv },
      end: options.prefix === true ? `${key.slice(0, -1)}0` : undefined, // "/" ends a prefix
      fragment: false, // they are joined before they are delivered
      responses: this.#responses,
    };
    this.watcher.created.then(
      ({ revision }) => this.#responses.push({ kind: "created", revision }),
      () => undefined, // heard as the watch's own error
    );
    if (isLoop) void this.#loop();
    else this.#listen();
  }

  /** Resolves when the watch has been told of everything it has to be told. */
  async upTo(putRevision: number, deleteRevision: number): Promise<void> {
    const wanted = this.#isDeleteBlind ? putRevision : deleteRevision;
    while (this.watcher.nextRevision <= wanted) {
      if (this.error !== null) throw this.error;
      await new Promise<void>((resolve) => this.#looks.add(resolve));
    }
  }

  async #loop(): Promise<void> {
    try {
      for await (const batch of this.watcher) this.#saw(batch);
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  #listen(): void {
    this.watcher.on("batch", (batch) => {
      this.#saw(batch);
    });
    this.watcher.on("error", (error) => {
      this.#failed(error);
    });
  }

  #saw({ header, events, isProgress }: WatchBatch): void {
    const { revision } = header;
    const seen = events.map(({ type, kv, prevKv }): SeenEvent => ({
      revision: kv.modRevision,
      key: toBinaryString(kv.key),
      isDelete: type === "delete",
      value: toBinaryString(kv.value),
      prev: prevKv === null ? undefined : toBinaryString(prevKv.value),
    }));
    if (isProgress) this.#responses.push({ kind: "progress", revision });
    else this.#responses.push({ kind: "events", revision, events: seen, fragment: false });
    this.#look();
  }

  #failed(error: Error): void {
    this.error = error;
    this.#look();
  }

  #look(): void {
    for (const resolve of this.#looks) resolve();
    this.#looks.clear();
  }
}
