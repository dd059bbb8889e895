import assert from "node:assert/strict";
import { test } from "node:test";

import { createRandom } from "../../base/random.ts";
import { FakeCluster } from "../../../test/client/fake-cluster.ts";
import { CanceledError } from "../errors.ts";
import type { KvWatchLease } from "../types.ts";
import { stm, StmConflictError, type Isolation, type StmTransaction } from "./stm.ts";

const accounts = ["a", "b", "c"];
const sum = accounts.length * 100;

async function balances(t: StmTransaction): Promise<number[]> {
  const all: number[] = [];
  for (const account of accounts) all.push(Number(await t.get(account)));
  return all;
}

interface Transfers {
  readonly end: number;
  readonly conflicts: number;
  /** Attempts, committed or not, that saw another sum. */
  readonly torn: number;
}

/** Several tellers move money between accounts at once. */
async function transfer(seed: number, isolation: Isolation): Promise<Transfers> {
  const cluster = new FakeCluster(seed);
  const random = createRandom(seed);
  const { kv } = cluster.client;
  for (const account of accounts) await kv.put(account, "100");
  let conflicts = 0;
  let torn = 0;
  const teller = async (): Promise<void> => {
    for (let round = 0; round < 4; round++) {
      const from = random.below(accounts.length);
      const to = (from + 1 + random.below(accounts.length - 1)) % accounts.length;
      const move = async (t: StmTransaction): Promise<void> => {
        const all = await balances(t);
        if (all.reduce((x, y) => x + y) !== sum) torn++;
        t.put(accounts[from]!, String(all[from]! - 1));
        t.put(accounts[to]!, String(all[to]! + 1));
      };
      conflicts += (await stm(kv, move, { isolation })).attempts - 1;
    }
  };
  await Promise.all(Array.from({ length: 4 }, teller));
  const end = await stm(kv, balances);
  return { end: end.result.reduce((x, y) => x + y), conflicts, torn };
}

for (const isolation of ["serializableSnapshot", "serializable", "repeatableReads"] as const) {
  test(`transfers between accounts keep their sum with ${isolation}`, async () => {
    let conflicts = 0;
    let torn = 0;
    for (let seed = 1; seed <= 5; seed++) {
      const all = await transfer(seed, isolation);
      assert.equal(all.end, sum);
      conflicts += all.conflicts;
      torn += all.torn;
    }
    assert.ok(conflicts > 0);
    // Only the snapshot levels promise that an attempt reads one revision.
    if (isolation === "repeatableReads") assert.ok(torn > 0);
    else assert.equal(torn, 0);
  });
}

test("readCommitted never meets a conflict, and so loses updates", async () => {
  let isKept = true;
  for (let seed = 1; seed <= 5; seed++) {
    const { end, conflicts } = await transfer(seed, "readCommitted");
    assert.equal(conflicts, 0);
    isKept &&= end === sum;
  }
  assert.equal(isKept, false);
});

/** Runs `between` once, after the first read of the first attempt. */
async function disturbed(
  client: KvWatchLease,
  isolation: Isolation,
  between: () => Promise<unknown>,
): Promise<{ readonly attempts: number; readonly reads: readonly (string | null)[] }> {
  let isFirst = true;
  let reads: (string | null)[] = [];
  const { attempts } = await stm(
    client.kv,
    async (t) => {
      reads = [await t.get("x")];
      if (isFirst) await between();
      isFirst = false;
      reads.push(await t.get("y"), await t.get("x"));
      t.put("z", "mine");
    },
    { isolation },
  );
  return { attempts, reads };
}

test("what an attempt reads is of its first read's revision with the snapshot levels", async () => {
  for (const isolation of ["serializableSnapshot", "serializable"] as const) {
    const { client } = new FakeCluster();
    await client.kv.put("y", "old");
    const { reads, attempts } = await disturbed(client, isolation, () => client.kv.put("y", "new"));
    assert.equal(attempts, 2); // y was read and changed
    assert.deepEqual(reads, [null, "new", null]);
  }
});

test("only serializableSnapshot minds that a key it writes unread was changed", async () => {
  const attempts = new Map<Isolation, number>();
  for (const isolation of ["serializableSnapshot", "serializable", "repeatableReads"] as const) {
    const { client } = new FakeCluster();
    const ran = await disturbed(client, isolation, () => client.kv.put("z", "theirs"));
    attempts.set(isolation, ran.attempts);
  }
  assert.deepEqual([...attempts.values()], [2, 1, 1]);
});

test("repeatableReads reads a key the same within an attempt, and minds its change", async () => {
  const { client } = new FakeCluster();
  const change = () => client.kv.put("x", "new");
  const { attempts, reads } = await disturbed(client, "repeatableReads", change);
  assert.equal(attempts, 2);
  assert.deepEqual(reads, ["new", null, "new"]);
});

test("an attempt reads its own writes and deletes", async () => {
  const { client } = new FakeCluster();
  await client.kv.put("k", "before");
  const { result, header } = await stm(client.kv, async (t) => {
    const before = await t.revision("k");
    t.put("k", "after");
    const after = await t.get("k");
    t.delete("k");
    return [before, after, await t.get("k"), await t.revision("missing")];
  });
  assert.deepEqual(result, [2, "after", null, 0]);
  const { kvs } = await client.kv.get("k");
  assert.deepEqual(kvs, []);
  assert.equal(header.revision, 3);
});

test("keys read ahead are asked for once, together", async () => {
  const cluster = new FakeCluster();
  for (const account of accounts) await cluster.client.kv.put(account, "1");
  cluster.calls.length = 0;
  await stm(cluster.client.kv, balances, { prefetch: accounts });
  assert.deepEqual(cluster.calls, ["txn", "txn"]);
});

test("what the function throws ends the transaction with nothing written", async () => {
  const cluster = new FakeCluster();
  const run = stm(cluster.client.kv, (t) => {
    t.put("k", "v");
    throw new Error("changed my mind");
  });
  await assert.rejects(run, /changed my mind/);
  assert.deepEqual(cluster.keys(), []);
});

test("an attempt whose revision was compacted begins anew", async () => {
  const cluster = new FakeCluster();
  const { client } = cluster;
  const compact = async (): Promise<void> => {
    await client.kv.put("y", "1");
    await client.kv.put("y", "2");
    cluster.compact();
  };
  const { reads, attempts } = await disturbed(client, "serializable", compact);
  assert.equal(attempts, 2);
  assert.deepEqual(reads, [null, "2", null]);
});

test("attempts have a bound, and a signal ends them", async () => {
  const { kv } = new FakeCluster().client;
  const always = async (t: StmTransaction): Promise<void> => {
    await t.get("k");
    await kv.put("k", "changed again");
    t.put("k", "mine");
  };
  const bounded = stm(kv, always, { attemptsMax: 3 });
  await assert.rejects(
    bounded,
    (error) => error instanceof StmConflictError && error.retryable && / 3 /.test(error.message),
  );
  const controller = new AbortController();
  const aborted = stm(
    kv,
    async (t) => {
      await always(t);
      controller.abort();
    },
    { signal: controller.signal },
  );
  await assert.rejects(aborted, CanceledError);
});
