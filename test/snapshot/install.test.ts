import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import type { RangeOutcome } from "../../src/server/mvcc/types.ts";
import { errCompacted } from "../../src/base/etcd-errors.ts";
import { rangeRequest, resultKvs } from "../mvcc/rig.ts";
import type { FakeStream } from "../watch/fake-stream.ts";
import type { Entry } from "./member-rig.ts";
import { MemberRig, nextTurn } from "./member-rig.ts";

const put = (key: string, value: string): Entry => ({ key, value });
const puts = (from: number, to: number): Entry[] =>
  Array.from({ length: to - from }, (_, i) => put(`k${(from + i) % 7}`, String(from + i)));
const eventAt = (revision: number): string => `put k${(revision - 2) % 7}@${revision}`;
const eventsFrom = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => eventAt(from + i));

/** A leader that has applied `ahead` entries, and a follower that has only `behind` of them. */
function pair(behind: number, ahead: number): { leader: MemberRig; follower: MemberRig } {
  const [leader, follower] = [new MemberRig(), new MemberRig()];
  for (const entry of puts(0, ahead)) leader.apply(entry);
  for (const entry of puts(0, behind)) follower.apply(entry);
  return { leader, follower };
}

test("etcd-15271 (row 34): a synced watch goes on behind an installed snapshot", async () => {
  // Fails when `replaced` is called with the first revision, or not at all.
  const { leader, follower } = pair(10, 50);
  const watches = [follower.watch(), follower.watch({ startRevision: 3 })];
  await follower.settled();
  assert.equal(watches[1]!.eventsOf(0).length, 9);
  follower.apply(puts(10, 11)[0]!); // sent to both, which moves no cursor
  await follower.settled();
  await follower.install(await follower.prepare(await leader.file()));
  follower.apply(put("k1", "live"));
  await follower.settled();
  const rest = [...eventsFrom(12, 51), "put k1@52"];
  assert.deepEqual(watches[0]!.eventsOf(0), rest);
  assert.deepEqual(watches[1]!.eventsOf(0), [...eventsFrom(3, 11), ...rest]);
  await Promise.all([leader.close(), follower.close()]);
});

test("etcd-20221 (row 40): a watch from the future gets nothing older", async () => {
  const { leader, follower } = pair(10, 50);
  const [inside, beyond] = [30, 60].map((startRevision) => follower.watch({ startRevision }));
  await follower.install(await follower.prepare(await leader.file()));
  await follower.settled();
  assert.deepEqual(inside!.eventsOf(0), eventsFrom(30, 51));
  assert.deepEqual(beyond!.eventsOf(0), []);
  for (const entry of puts(50, 62)) follower.apply(entry);
  await follower.settled();
  assert.deepEqual(inside!.eventsOf(0), eventsFrom(30, 63));
  assert.deepEqual(beyond!.eventsOf(0), eventsFrom(60, 63));
  await Promise.all([leader.close(), follower.close()]);
});

test("etcd-18055 (row 13): snapshots back to back are installed in order", async () => {
  const { leader, follower } = pair(5, 20);
  const watch = follower.watch();
  const files = [await leader.file()];
  for (const entry of puts(20, 40)) leader.apply(entry);
  files.push(await leader.file());
  const paths = [await follower.prepare(files[0]!), await follower.prepare(files[1]!)];
  assert.equal((await follower.install(paths[0]!)).index, 20);
  assert.equal((await follower.install(paths[1]!)).index, 40);
  await follower.settled();
  assert.deepEqual(watch.eventsOf(0), eventsFrom(7, 41));
  await Promise.all([leader.close(), follower.close()]);
});

test("etcd-20271 (row 12): defragment and install at once lose nothing", async () => {
  const { leader, follower } = pair(5, 300);
  const path = await follower.prepare(await leader.file());
  const defragmented = new Promise((resolve) => follower.backend.defragment(resolve));
  await Promise.all([follower.install(path), defragmented]);
  assert.equal(follower.state.store.currentRevision, 301);
  assert.deepEqual(await follower.file(), await leader.file());
  await Promise.all([leader.close(), follower.close()]);
});

test("etcd-13933 (row 4): after an install and a crash the index is the snapshot's", async () => {
  // Fails when rows handed in before the install are committed after it.
  const { leader, follower } = pair(0, 50);
  for (const entry of puts(0, 10)) follower.apply(entry);
  await follower.commit();
  const path = await follower.prepare(await leader.file());
  follower.apply(put("k3", "not committed when the snapshot is installed"));
  await follower.install(path);
  assert.deepEqual(await follower.file(), await leader.file());
  const view = follower.backend.view();
  assert.equal(view.consistentIndex, 50);
  view.close();
  follower.apply(put("k1", "x"));
  await follower.commit();
  const later = follower.backend.view();
  assert.equal(later.consistentIndex, 51);
  later.close();
  await Promise.all([leader.close(), follower.close()]);
});

test("leases and alarms are those of the snapshot", async () => {
  const [leader, follower] = [new MemberRig(), new MemberRig()];
  for (const rig of [leader, follower]) {
    rig.state.lessor.applyGrant(rig === leader ? 7n : 8n, 100);
    rig.apply({ key: "leased", value: "1", lease: rig === leader ? 7n : 8n });
  }
  leader.state.alarms.activate(2n, 1);
  follower.state.alarms.activate(2n, 2);
  leader.apply(put("more", "1"));
  await follower.install(await follower.prepare(await leader.file()));
  const { lessor, alarms } = follower.state;
  assert.deepEqual(lessor.ids(), [7n]);
  assert.deepEqual(lessor.keysOf(7n), [utf8("leased")]);
  assert.equal(lessor.leaseOf(utf8("leased")), 7n);
  assert.deepEqual([alarms.noSpace, alarms.corrupt], [true, false]);
  await Promise.all([leader.close(), follower.close()]);
});

test("reads, hashes and compactions under way come to their end", async () => {
  const limits = { rangeKeysPerTurn: 10, hashRowsPerTurn: 3, compactionBatchLimit: 2 };
  const [leader, follower] = [new MemberRig(limits), new MemberRig(limits)];
  const many = Array.from({ length: 5000 }, (_, i) => put(`key${i}`, "v"));
  for (const entry of many) leader.apply(entry);
  for (const entry of many.slice(0, 4900)) follower.apply(entry);
  const path = await follower.prepare(await leader.file());
  const { store } = follower.state;
  const ended: string[] = [];
  const range = (revision: number): Promise<RangeOutcome> =>
    new Promise((resolve) => {
      const now = store.rangeSliced(rangeRequest("key", "l", { revision }), resolve);
      assert.equal(now, null, "the range is meant to take turns");
    });
  const ranges = [range(4000), range(0), range(4901)];
  const hash = new Promise((resolve) => store.hashKv(0, resolve));
  store.compact(100, () => ended.push("physical"));
  for (let i = 0; i < 3; i++) await nextTurn();
  await follower.install(path);
  const results = await Promise.all(ranges);
  const counts = results.map((result) => ("code" in result ? -1 : resultKvs(result).length));
  assert.deepEqual(counts, [3999, 4900, 4900]);
  const expected = await new Promise((resolve) => leader.state.store.hashKv(0, resolve));
  assert.deepEqual(await hash, expected);
  await nextTurn();
  assert.deepEqual(ended, ["physical"]);
  await Promise.all([leader.close(), follower.close()]);
});

test("while an installed snapshot is read the former state is served", async () => {
  // Fails when the view changes before everything is read.
  const limits = { reloadRowsPerTurn: 3, hashRowsPerTurn: 3 };
  const [leader, follower] = [new MemberRig(limits), new MemberRig(limits)];
  for (const entry of puts(0, 600)) leader.apply(entry);
  leader.apply({ compact: 500 });
  for (const entry of puts(0, 30)) follower.apply(entry);
  const path = await follower.prepare(await leader.file());
  const { store } = follower.state;
  let isInstalled = false;
  const installed = follower.install(path).then(() => {
    isInstalled = true;
  });
  const watches: FakeStream[] = [];
  const seen: unknown[] = [];
  let hash: Promise<unknown> | null = null;
  for (let turn = 0; !isInstalled; turn++) {
    if (turn % 20 === 0) watches.push(follower.watch({ startRevision: 0 }));
    hash ??= new Promise((resolve) => store.hashKv(31, resolve));
    const past = store.range(rangeRequest("k", "l", { revision: 12 }));
    seen.push([store.currentRevision, "code" in past ? past : resultKvs(past).length]);
    await nextTurn();
  }
  await installed;
  assert.ok(seen.length > 30, "the install is meant to take turns");
  for (const one of seen) assert.deepEqual(one, [31, 7]);
  assert.equal(store.currentRevision, 601);
  follower.apply(put("k1", "live"));
  await follower.settled();
  assert.ok(watches.length > 2);
  for (const watch of watches) {
    // Revisions 32 to 499 are compacted in the snapshot: told so, with nothing of it left out.
    assert.deepEqual(watch.eventsOf(0), []);
    assert.equal(watch.of(0).at(-1)?.kind, "compacted");
  }
  assert.deepEqual(await hash, errCompacted);
  await Promise.all([leader.close(), follower.close()]);
});

test("a stop while an installed snapshot is read comes to its end", async () => {
  const [leader, follower] = [new MemberRig(), new MemberRig({ reloadRowsPerTurn: 1 })];
  for (const entry of puts(0, 300)) leader.apply(entry);
  void follower.install(await follower.prepare(await leader.file()));
  for (let i = 0; i < 20; i++) await nextTurn();
  await Promise.all([leader.close(), follower.close()]);
  const again = new MemberRig({}, follower.disk);
  assert.equal(again.state.store.currentRevision, 301);
  await again.close();
});

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("put" as const), key: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), key: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("compact" as const), back: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("follow" as const), count: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("watch" as const), from: fc.nat(25) }) },
  { weight: 3, arbitrary: fc.constant({ kind: "install" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "defragment" as const }) },
  { weight: 3, arbitrary: fc.constant({ kind: "turn" as const }) },
);

interface Watched {
  readonly output: ReturnType<MemberRig["watch"]>;
  readonly from: number;
}

/** The watch got every event from its start on, once, in order; or was told of a compaction. */
function checkWatch({ output, from }: Watched, truth: readonly string[]): void {
  const wanted = truth.slice(Math.max(0, from - 2));
  const got = output.eventsOf(0);
  const isCompacted = output.of(0).some((response) => response.kind === "compacted");
  assert.deepEqual(got, isCompacted ? wanted.slice(0, got.length) : wanted);
}

test("watches see every event once and in order, whatever is installed when", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const [leader, follower] = [new MemberRig(), new MemberRig({ reloadRowsPerTurn: 4 })];
      const log: Entry[] = [];
      /** One event a revision, from 2. */
      const truth: string[] = [];
      const watches: Watched[] = [];
      const alive = new Set<string>();
      const write = (entry: Entry): void => {
        leader.apply(entry);
        log.push(entry);
      };
      const follow = (count: number): void => {
        for (const entry of log.slice(follower.index, follower.index + count))
          follower.apply(entry);
      };
      for (const s of steps) {
        const revision = leader.state.store.currentRevision;
        if (s.kind === "put" || s.kind === "delete") {
          const key = `k${s.key}`;
          if (s.kind === "delete" && !alive.has(key)) continue;
          if (s.kind === "put") alive.add(key);
          else alive.delete(key);
          truth.push(`${s.kind === "put" ? "put" : "del"} ${key}@${revision + 1}`);
          write({ key, value: s.kind === "put" ? "v" : null });
        } else if (s.kind === "compact") write({ compact: revision - s.back });
        else if (s.kind === "follow") follow(s.count);
        else if (s.kind === "watch") {
          watches.push({
            output: follower.watch({ startRevision: s.from, prevKv: true }),
            from: s.from === 0 ? follower.state.store.currentRevision + 1 : s.from,
          });
        } else if (s.kind === "install" && follower.index < leader.index) {
          await follower.install(await follower.prepare(await leader.file()));
        } else if (s.kind === "defragment") follower.backend.defragment(() => undefined);
        else await nextTurn();
      }
      follow(log.length);
      await follower.settled();
      for (const watch of watches) checkWatch(watch, truth);
      assert.equal(follower.state.store.currentRevision, leader.state.store.currentRevision);
      await Promise.all([leader.close(), follower.close()]);
    }),
    { numRuns: 60 },
  );
});
