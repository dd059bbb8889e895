import { fromBinaryString } from "../../src/base/bytes.ts";
import { requestProgress } from "../../src/server/mvcc/watch-progress.ts";
import { WatchableStore } from "../../src/server/mvcc/watchable-store.ts";
import type { WatchStream } from "../../src/server/mvcc/watcher.ts";
import { createRequest, FakeStream } from "./fake-stream.ts";
import type { CreateOptions } from "./fake-stream.ts";
import { FakeStore } from "./fake-store.ts";
import { FakeTurn } from "./fakes.ts";

/** A store, its watches and one stream, for tests told step by step. */
export class WatchWorld {
  readonly turn = new FakeTurn();
  readonly store = new FakeStore();
  readonly watch: WatchableStore;
  readonly output: FakeStream;
  readonly stream: WatchStream;

  constructor(options: { bound?: number; fragmentBytes?: number } = {}) {
    const fragmentBytes = options.fragmentBytes ?? 1 << 21;
    this.watch = new WatchableStore({ source: this.store, turn: this.turn, fragmentBytes });
    this.store.listener = this.watch;
    this.output = new FakeStream(options.bound);
    this.stream = this.watch.openStream(this.output);
  }

  /** Returns the watch id, or null when it was refused. `end`: "" single key, "\0" no end. */
  create(key: string, end: string, options: CreateOptions = {}): number | null {
    const request = createRequest(fromBinaryString(key), fromBinaryString(end), options);
    return this.watch.create(this.stream, request)?.id ?? null;
  }

  progress(): void {
    requestProgress(this.watch, this.stream);
  }

  /** The client reads everything there is. */
  read(): void {
    this.output.pending = 0;
    this.watch.resume(this.stream);
  }

  /** Turns and reads until nothing is left to do. */
  settle(): void {
    do {
      this.turn.drain();
      this.read();
    } while (this.watch.slowCount > 0);
    this.turn.drain();
  }
}
