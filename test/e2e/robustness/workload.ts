// What all clients of a run share: the record, the members, chance, and when to end.
import { setTimeout as delay } from "node:timers/promises";

import type { Random } from "../../../src/base/ports.ts";
import type { KvRequest, KvResponse, Recorder } from "../../check/history.ts";
import type { AppendTxn } from "../../check/list-append.ts";
import { Failure } from "../../server/client.ts";
import { decodeResponse, encodeRequest } from "../../sim/world/codec.ts";
import { Connection, isRefusal } from "./connection.ts";
import type { Truth } from "./truth.ts";

const callMsMin = 1_500;
const callMsSpread = 1_500;
const shunMs = 700;

export interface Workload {
  readonly recorder: Recorder;
  readonly truth: Truth;
  readonly appends: AppendTxn[];
  /** host:port of every member, alive or not. */
  readonly endpoints: readonly string[];
  /** No new operations. */
  isStopped: boolean;
  /** The newest compaction that was asked for. */
  compactRevision: number;
  answered: number;
  unknown: number;
  /** How often something else than plain writes and reads happened. */
  readonly counts: Map<string, number>;
}

export function count(workload: Workload, what: string): void {
  workload.counts.set(what, (workload.counts.get(what) ?? 0) + 1);
}

/** One client: at most one operation under way, through any member, each time another. */
export class Client {
  readonly workload: Workload;
  readonly random: Random;
  readonly process: number;
  readonly #connections = new Map<string, Connection>();
  readonly #shunned = new Map<string, number>();

  constructor(workload: Workload, random: Random, process: number) {
    this.workload = workload;
    this.random = random;
    this.process = process;
  }

  get now(): number {
    return performance.now();
  }

  /** To a member that did not fail just now, if there is one. */
  pick(): string {
    const { endpoints } = this.workload;
    const good = endpoints.filter((e) => (this.#shunned.get(e) ?? 0) < this.now);
    const from = good.length > 0 ? good : endpoints;
    return from[this.random.below(from.length)] ?? "";
  }

  connection(endpoint: string): Connection {
    let connection = this.#connections.get(endpoint);
    if (connection === undefined) {
      connection = new Connection(endpoint);
      this.#connections.set(endpoint, connection);
    }
    return connection;
  }

  shun(endpoint: string): void {
    this.#shunned.set(endpoint, this.now + shunMs);
  }

  deadline(): number {
    return callMsMin + this.random.below(callMsSpread);
  }

  /** Runs and records one operation; null where it was not answered with success. */
  async run(request: KvRequest): Promise<KvResponse | null> {
    const answered = await this.runRaw(request, encodeRequest(request).bytes);
    return answered?.response ?? null;
  }

  /** As run, with the message's bytes of the caller's own making; also the answer's bytes. */
  async runRaw(
    request: KvRequest,
    bytes: Uint8Array,
  ): Promise<{ readonly response: KvResponse; readonly bytes: Uint8Array } | null> {
    const { recorder } = this.workload;
    const endpoint = this.pick();
    const { path } = encodeRequest(request);
    const id = recorder.begin(this.process, request, this.now);
    const answer = await this.connection(endpoint).raw(path, bytes, this.deadline());
    if (answer instanceof Failure) {
      if (isRefusal(answer)) recorder.refused(id);
      else this.workload.unknown++;
      this.shun(endpoint);
      return null;
    }
    const response = decodeResponse(request, answer);
    recorder.end(id, response, this.now);
    this.workload.answered++;
    return { response, bytes: answer };
  }

  /** Between operations: on average `meanMs`. */
  async think(meanMs: number): Promise<void> {
    await delay(this.random.below(2 * meanMs + 1));
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
  }
}
