/** Watches on a running cluster of three: W1 to W7 through everything that breaks a stream. */
import assert from "node:assert/strict";

import { createRandom } from "../../src/base/random.ts";
import { WatchCompactedError } from "../../src/client/errors.ts";
import { checkWatches } from "../check/watch-history.ts";
import type { LiveCase, LiveCluster } from "./live.ts";
import { KnowingWriter, RecordedWatch, type Watched } from "./watch-record.ts";

const stepsPerRun = 150;
const stepsPerFault = 15;
const kibibyte = 1024;

function watchesBelow(prefix: string, startRevision: number): Watched[] {
  const key = `${prefix}k0`;
  return [
    { name: "all", key: prefix, options: { prefix: true }, isLoop: true },
    { name: "prev", key: prefix, options: { prefix: true, prevKv: true }, isLoop: false },
    { name: "one key", key, options: { prevKv: true }, isLoop: true },
    { name: "deletes", key: prefix, options: { prefix: true, noPut: true }, isLoop: false },
    { name: "puts", key: prefix, options: { prefix: true, noDelete: true }, isLoop: true },
    { name: "past", key: prefix, options: { prefix: true, startRevision }, isLoop: true },
    {
      ...{ name: "slow", key: prefix, isLoop: true },
      options: { prefix: true, bufferedBatchesMax: 1, progressNotify: true },
    },
    { name: "future", key, options: { startRevision: startRevision + 60 }, isLoop: false },
    {
      ...{ name: "led", key: prefix, isLoop: false },
      options: { prefix: true, fragment: true, requireLeader: true },
    },
  ];
}

/** Breaks something; `isBack` resolves when a watch has been told of all that happened so far. */
type Fault = (round: number, isBack: () => Promise<void>) => void | Promise<void>;

/** Watches while a writer writes and `fault` breaks things, and judges what was delivered. */
async function judge(live: LiveCluster, prefix: string, fault: Fault): Promise<void> {
  const writer = new KnowingWriter(live.sideClient(), prefix, createRandom(7));
  const client = live.client();
  await writer.put("first");
  const watches = watchesBelow(prefix, writer.revision).map((one) => {
    return new RecordedWatch(client, one);
  });
  await Promise.all(watches.map(({ watcher }) => watcher.created));
  const isBack = async (): Promise<void> => watches[0]?.upTo(writer.revision, writer.revision);
  for (let i = 0; i < stepsPerRun; i++) {
    if (i % stepsPerFault === 0) await fault(i / stepsPerFault, isBack);
    await writer.step();
    if (i % stepsPerFault === 5) live.heal();
  }
  live.heal();
  await client.watch.requestProgress();
  await writer.put("k0");
  const last = writer.revision;
  await writer.delete("k0");
  await Promise.all(watches.map((watch) => watch.upTo(last, writer.revision)));
  const records = watches.map(({ record }) => record);
  const bounds = { compactRevision: 0, settledRevision: writer.revision };
  assert.deepEqual(checkWatches(records, writer.changes, bounds), []);
  client.close();
}

const cutsCase: LiveCase = {
  name: "watches keep W1 to W7 through connections that break",
  run: async (live) => {
    const before = live.resets;
    await judge(live, "cuts/", async (round, isBack) => {
      await isBack(); // else all cuts could fall into the wait before the first new connection
      const { members } = live.cluster;
      if (round % 3 === 0) live.cut(...members);
      else live.cut(members[round % members.length]!);
    });
    assert.ok(live.resets - before >= 3, "the cuts were felt");
  },
};

const holdsCase: LiveCase = {
  name: "watches keep W1 to W7 through a network that stalls",
  run: (live) =>
    judge(live, "holds/", async (_round, isBack) => {
      await isBack(); // else one stall could swallow the next ones
      live.hold(...live.cluster.members);
    }),
};

const leadersCase: LiveCase = {
  name: "watches keep W1 to W7 through changes of leader",
  run: (live) =>
    judge(live, "leaders/", async (round) => {
      if (round % 3 === 1) await live.moveLeader();
    }),
};

const killsCase: LiveCase = {
  name: "watches keep W1 to W7 through members that are killed and come back",
  run: (live) =>
    judge(live, "kills/", async (round) => {
      if (round !== 2 && round !== 6) return;
      const member = round === 2 ? await live.leader() : live.cluster.members[0]!;
      await member.end("SIGKILL");
      await member.start();
    }),
};

const compactionCase: LiveCase = {
  name: "a watch that was away during a compaction ends as compacted, with the revision",
  run: async (live) => {
    const side = live.sideClient();
    const writer = new KnowingWriter(side, "compacted/", createRandom(1));
    const client = live.client();
    const watcher = client.watch.watch("compacted/", { prefix: true });
    await watcher.created;
    await writer.put("a");
    const batches = watcher[Symbol.asyncIterator]();
    await batches.next();
    live.cut(...live.cluster.members);
    for (const name of ["b", "c", "d"]) await writer.put(name);
    await side.kv.compact(writer.revision);
    live.heal();
    await assert.rejects(batches.next(), (error) => {
      return error instanceof WatchCompactedError && error.compactRevision === writer.revision;
    });
    const late = client.watch.watch("compacted/", { prefix: true, startRevision: 1 });
    await assert.rejects(async () => {
      for await (const { events } of late) assert.equal(events.length, -1);
    }, WatchCompactedError);
    client.close();
  },
};

const progressCase: LiveCase = {
  name: "progress asked for is told to every watch of the stream",
  run: async (live) => {
    const client = live.client();
    const writer = new KnowingWriter(live.sideClient(), "progress/", createRandom(1));
    const watchers = ["x", "y"].map((key) => client.watch.watch(`progress/${key}`));
    await Promise.all(watchers.map(({ created }) => created));
    await writer.put("z");
    for (const watcher of watchers) {
      const batches = watcher[Symbol.asyncIterator]();
      const waiting = batches.next();
      // The member may have to hear of the write first: then it answers with less, or not at all.
      let revision = 0;
      while (revision < writer.revision) {
        await client.watch.requestProgress();
        const next = await Promise.race([waiting, later(live)]);
        if (next === null) continue;
        assert.ok(next.done !== true && next.value.isProgress);
        revision = next.value.header.revision;
        if (revision < writer.revision) await client.kv.get("progress/z");
        else break;
      }
      assert.ok(watcher.nextRevision > writer.revision);
    }
    client.close();
  },
};

/** Null after a call to the cluster: time to ask again. */
async function later(live: LiveCluster): Promise<null> {
  await live.sideClient().kv.get("progress/later");
  return null;
}

const fragmentCase: LiveCase = {
  name: "fragments of a large answer arrive joined",
  run: async (live) => {
    const client = live.client();
    const value = "v".repeat(900 * kibibyte);
    const { header } = await client.kv.put("large/0", value);
    for (let i = 1; i < 4; i++) await client.kv.put(`large/${i}`, value);
    const startRevision = header.revision;
    const watcher = client.watch.watch("large/", { prefix: true, startRevision, fragment: true });
    const seen: string[] = [];
    for await (const { kv, isCreate } of watcher.events()) {
      assert.equal(kv.value.length, value.length);
      assert.equal(isCreate, true);
      seen.push(kv.keyString());
      if (seen.length === 4) break;
    }
    assert.deepEqual(seen, ["large/0", "large/1", "large/2", "large/3"]);
    client.close();
  },
};

const slowCase: LiveCase = {
  name: "a reader that is slow holds up no other watch and loses nothing",
  run: async (live) => {
    const client = live.client();
    const side = live.sideClient();
    const options = { prefix: true, bufferedBatchesMax: 2 };
    const slow = client.watch.watch("slow/", options);
    const quick = client.watch.watch("slow/", { prefix: true });
    await Promise.all([slow.created, quick.created]);
    const count = 50;
    for (let i = 0; i < count; i++) await side.kv.put("slow/key", String(i));
    const values = async (watcher: typeof slow): Promise<string[]> => {
      const seen: string[] = [];
      for await (const { kv } of watcher.events()) {
        seen.push(kv.string());
        if (seen.length === count) break;
      }
      return seen;
    };
    const wanted = Array.from({ length: count }, (_, i) => String(i));
    assert.deepEqual(await values(quick), wanted); // the slow one has not read anything
    assert.deepEqual(await values(slow), wanted);
    client.close();
  },
};

const manyCase: LiveCase = {
  name: "thousands of watches on a few streams each hear of their own key, over a break",
  run: async (live) => {
    const client = live.client();
    const side = live.sideClient();
    const count = 2_500;
    const watchers = Array.from({ length: count }, (_, i) => client.watch.watch(`many/${i}`));
    await Promise.all(watchers.map(({ created }) => created));
    live.cut(...live.cluster.members);
    const chosen = [0, 999, 1_000, 2_499];
    for (const i of chosen) await side.kv.put(`many/${i}`, "x");
    live.heal();
    for (const i of chosen) {
      for await (const { kv } of watchers[i]!.events()) {
        assert.equal(kv.keyString(), `many/${i}`);
        break;
      }
    }
    client.close();
  },
};

export const watchSuite: readonly LiveCase[] = [
  cutsCase,
  holdsCase,
  leadersCase,
  killsCase,
  progressCase,
  fragmentCase,
  slowCase,
  manyCase,
  compactionCase,
];
