// Writes and reads while connections break, members die and leadership moves.
import assert from "node:assert/strict";
import { test } from "node:test";

import { EtcdError } from "../../../src/client/errors.ts";
import { op } from "../../../src/client/op.ts";
import { type LiveCase, type LiveCluster, runCases } from "../live.ts";

const writers = 6;
const progressPuts = 30;

/** Puts one value after the other, none twice, until stopped. */
class Writers {
  readonly answered: string[] = [];
  readonly failed: string[] = [];
  #isOver = false;
  #wake = (): void => undefined;
  readonly #running: Promise<void>[];

  constructor(live: LiveCluster, key: string) {
    const { kv } = live.client();
    this.#running = Array.from({ length: writers }, async (_, writer) => {
      for (let i = 0; !this.#isOver; i++) {
        const value = `${writer}/${i}`;
        try {
          await kv.put(key, value);
          this.answered.push(value);
        } catch (error) {
          assert.ok(error instanceof EtcdError, String(error));
          this.failed.push(value);
        }
        this.#wake();
      }
    });
  }

  /** Resolves when more puts were answered. */
  async progress(): Promise<void> {
    const wanted = this.answered.length + progressPuts;
    while (this.answered.length < wanted) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }
}

/** Every value that the key ever held from a revision on, up to `last`. */
async function history(live: LiveCluster, key: string, startRevision: number, last: string) {
  const values: string[] = [];
  for await (const { kv } of live.sideClient().watch.watch(key, { startRevision }).events()) {
    if (kv.string() === last) return values;
    values.push(kv.string());
  }
  throw new Error("the watch ended");
}

async function writeThrough(live: LiveCluster, key: string, faults: (w: Writers) => Promise<void>) {
  const side = live.sideClient();
  const { header } = await side.kv.put(key, "first");
  const all = new Writers(live, key);
  try {
    await all.progress();
    await faults(all);
    await all.progress();
  } finally {
    await all.stop();
  }
  await side.kv.put(key, "last");
  const values = await history(live, key, header.revision + 1, "last");
  const seen = new Set(values);
  assert.equal(seen.size, values.length, "a put was applied twice");
  const missing = all.answered.filter((value) => !seen.has(value));
  assert.deepEqual(missing, [], "an answered put is missing");
  const known = new Set([...all.answered, ...all.failed]);
  assert.ok(values.every((value) => known.has(value)));
}

const cases: readonly LiveCase[] = [
  {
    name: "puts are applied once and none answered is lost while connections break",
    run: (live) =>
      writeThrough(live, "faults/cut", async (all) => {
        for (const member of live.cluster.members) {
          live.cut(member);
          if (live.cluster.members.length > 1) await all.progress();
          live.heal();
          await all.progress();
        }
      }),
  },
  {
    name: "puts are applied once and none answered is lost while leadership moves",
    run: (live) =>
      writeThrough(live, "faults/move", async (all) => {
        for (let i = 0; i < 3; i++) {
          await live.moveLeader();
          await all.progress();
        }
      }),
  },
  {
    name: "puts are applied once and none answered is lost while the leader is killed",
    run: (live) =>
      writeThrough(live, "faults/kill", async (all) => {
        const leader = await live.leader();
        await leader.end("SIGKILL");
        if (live.cluster.members.length > 1) await all.progress();
        await leader.start();
      }),
  },
  {
    name: "reads and transactions that only read succeed through all of it",
    run: async (live) => {
      const { kv } = live.client({ timeoutMs: 30_000 });
      await live.sideClient().kv.put("faults/read", "1");
      let isOver = false;
      const readers = [
        () => kv.get("faults/read"),
        () => kv.do(op.txn([], [op.get("faults/read")])),
      ].map(async (read) => {
        while (!isOver) await read();
      });
      const reading = Promise.all(readers);
      try {
        for (const member of live.cluster.members) {
          live.cut(member);
          if (live.cluster.members.length > 1) await kv.get("faults/read");
          live.heal();
          await kv.get("faults/read");
        }
        const leader = await live.leader();
        await leader.end("SIGKILL");
        await leader.start();
      } finally {
        isOver = true;
      }
      await reading;
    },
  },
];

test("keys of a cluster that breaks", { timeout: 120_000 }, (t) => runCases(t, cases));
