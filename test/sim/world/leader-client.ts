/**
 * A client that knows who believes to lead: it writes through the newest leader and then reads the
 * same key through the oldest one, which must know better than to answer from what it has.
 */

import { Recorder } from "../../check/history.ts";
import { KvClient, type ClientParts } from "./kv-client.ts";
import { thinkMsAt } from "./options.ts";
import type { SimProcess } from "./process.ts";

export class LeaderClient {
  readonly #parts: ClientParts;
  readonly #client: KvClient;
  readonly #vain: KvClient;
  readonly #process: number;
  #count = 0;
  isStopped = false;

  constructor(parts: ClientParts, process: number) {
    this.#parts = parts;
    this.#process = process;
    this.#client = new KvClient(parts, process);
    this.#vain = new KvClient({ ...parts, recorder: new Recorder() }, process);
  }

  start(): void {
    const { scheduler, world, random, options } = this.#parts;
    scheduler.after(random.below(2 * thinkMsAt(options, scheduler.now) + 1), world, () => {
      if (!this.isStopped) this.#write();
    });
  }

  #write(): void {
    const key = `k${this.#parts.random.below(this.#parts.options.keys)}`;
    const value = `${this.#process}-${++this.#count}`;
    const read = (): void => {
      this.#read(key);
    };
    this.#client.run({ kind: "put", key, value }, read, this.#leaders().at(-1), answerMsMax);
  }

  #read(key: string): void {
    const leaders = this.#leaders();
    if (leaders.length > 1) {
      this.#parts.mark("client.reads-through-old-leader");
      if (this.#parts.random.below(burstEvery) === 0) this.#burst(leaders[0]!);
    }
    const next = (): void => {
      this.start();
    };
    this.#client.run({ kind: "range", key }, next, leaders[0], answerMsMax);
  }

  /**
   * What an old leader appends in vain is in conflict later. Deletions of what is not there: no
   * history has to know of them.
   */
  #burst(leader: SimProcess): void {
    for (let i = 0; i < burstEntries; i++) {
      this.#vain.run({ kind: "delete", key: "~" }, () => undefined, leader, answerMsMax);
    }
  }

  /** Those that believe to lead, the newest last. */
  #leaders(): readonly SimProcess[] {
    const all = this.#parts.members().filter((process) => process.core?.node.isLeader === true);
    return all.sort((a, b) => a.core!.node.term - b.core!.node.term);
  }
}

const answerMsMax = 500;
const burstEvery = 2;
const burstEntries = 8;
