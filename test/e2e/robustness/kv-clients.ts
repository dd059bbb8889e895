// Clients of keys: registers (put, get, delete, compare and put) and lists (read, then append where
// nothing changed since).
import type { KvRequest, KvResponse } from "../../check/history.ts";
import type { AppendTxn, Micro } from "../../check/list-append.ts";
import type { Client } from "./workload.ts";
import { count } from "./workload.ts";

const keyCount = 8;
const listCount = 4;
const listLengthMax = 60;
const pastMax = 20;

export async function runRegisters(client: Client, thinkMs: number): Promise<void> {
  const mods = new Map<string, number>();
  let [values, revision] = [0, 1];
  const { random } = client;
  const newValue = (): string => {
    const padding = random.below(50) === 0 ? "x".repeat(random.below(20_000)) : "";
    return `${client.process}-${++values}${padding}`;
  };
  while (!client.workload.isStopped) {
    const response = await client.run(draw(client, mods, revision, newValue));
    if (response !== null) {
      revision = Math.max(revision, response.revision);
      remember(mods, response);
    }
    await client.think(thinkMs);
  }
}

function remember(mods: Map<string, number>, response: KvResponse): void {
  if (response.kind === "txn") for (const inner of response.responses) remember(mods, inner);
  if (response.kind === "range") for (const kv of response.kvs) mods.set(kv.key, kv.mod);
}

function draw(
  { random }: Client,
  mods: ReadonlyMap<string, number>,
  revision: number,
  newValue: () => string,
): KvRequest {
  const key = `k${random.below(keyCount)}`;
  const kind = random.below(16);
  if (kind < 5) return { kind: "put", key, value: newValue() };
  if (kind === 5) return { kind: "delete", key };
  if (kind === 6) return { kind: "range", key: "k", end: "l" };
  if (kind === 7) return { kind: "range", key, isSerializable: true };
  if (kind === 8) {
    const past = Math.max(1, revision - random.below(pastMax));
    return { kind: "range", key: "k", end: "l", revision: past };
  }
  if (kind > 11) return { kind: "range", key };
  const other = `k${random.below(keyCount)}`;
  const puts: KvRequest[] = [{ kind: "put", key, value: newValue() }];
  if (other !== key) puts.push({ kind: "put", key: other, value: newValue() });
  return {
    kind: "txn",
    compares: [{ key, target: "mod", result: "=", operand: mods.get(key) ?? 0 }],
    success: puts,
    failure: [{ kind: "range", key }],
  };
}

/** What list clients share: a list that is full is followed by another one. */
export class Lists {
  readonly #epochs = new Array<number>(listCount).fill(0);
  #values = 0;

  pick(client: Client): [string, string] {
    const first = client.random.below(listCount);
    const second = (first + 1 + client.random.below(listCount - 1)) % listCount;
    return [this.#name(first), this.#name(second)];
  }

  full(key: string): void {
    for (const [i, epoch] of this.#epochs.entries()) {
      if (this.#name(i) === key) this.#epochs[i] = epoch + 1;
    }
  }

  newValue(): number {
    return ++this.#values;
  }

  #name(i: number): string {
    return `a${i}.${this.#epochs[i] ?? 0}`;
  }
}

interface Read {
  readonly list: readonly number[];
  readonly mod: number;
}

export async function runLists(client: Client, lists: Lists, thinkMs: number): Promise<void> {
  while (!client.workload.isStopped) {
    const keys = lists.pick(client);
    const reads = await readLists(client, keys);
    if (reads !== null && client.random.below(8) > 0) await append(client, lists, keys, reads);
    await client.think(thinkMs);
  }
}

async function readLists(client: Client, keys: readonly string[]): Promise<Read[] | null> {
  const ranges = keys.map((key): KvRequest => ({ kind: "range", key }));
  const call = client.now;
  const response = await client.run({ kind: "txn", compares: [], success: ranges, failure: [] });
  if (response?.kind !== "txn") return null;
  const reads = response.responses.map(readOf);
  const micros = keys.map((key, i): Micro => ({ kind: "read", key, list: reads[i]?.list ?? [] }));
  record(client, { call, returned: client.now, outcome: "done", micros });
  return reads;
}

function readOf(response: KvResponse): Read {
  const kv = response.kind === "range" ? response.kvs[0] : undefined;
  if (kv === undefined) return { list: [], mod: 0 };
  return { list: kv.value.split(",").map(Number), mod: kv.mod };
}

/** Reads the first list, appends to both, reads the second: all or nothing. */
async function append(
  client: Client,
  lists: Lists,
  [first, second]: [string, string],
  reads: readonly Read[],
): Promise<void> {
  const [a, b] = [lists.newValue(), lists.newValue()];
  const put = (key: string, read: Read | undefined, value: number): KvRequest => ({
    ...{ kind: "put", key, value: [...(read?.list ?? []), value].join(",") },
  });
  const call = client.now;
  const response = await client.run({
    kind: "txn",
    compares: [first, second].map((key, i) => ({
      ...{ key, target: "mod", result: "=", operand: reads[i]?.mod ?? 0 },
    })),
    success: [
      { kind: "range", key: first },
      put(first, reads[0], a),
      put(second, reads[1], b),
      { kind: "range", key: second },
    ],
    failure: [],
  });
  const outcome = response?.kind !== "txn" ? "maybe" : response.succeeded ? "done" : "failed";
  const answers = response?.kind === "txn" && response.succeeded ? response.responses : [];
  const listOf = (i: number): readonly number[] | null => {
    const answer = answers[i];
    return answer === undefined ? null : readOf(answer).list;
  };
  const micros: Micro[] = [
    { kind: "read", key: first, list: listOf(0) },
    { kind: "append", key: first, value: a },
    { kind: "append", key: second, value: b },
    { kind: "read", key: second, list: listOf(3) },
  ];
  const returned = outcome === "maybe" ? Infinity : client.now;
  record(client, { call, returned, outcome, micros });
  if (outcome === "done") count(client.workload, "append");
  for (const [i, key] of [first, second].entries()) {
    if ((reads[i]?.list.length ?? 0) >= listLengthMax) lists.full(key);
  }
}

function record({ workload }: Client, txn: Omit<AppendTxn, "id">): void {
  workload.appends.push({ ...txn, id: workload.appends.length });
}
