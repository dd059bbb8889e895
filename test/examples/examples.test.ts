// Every example as a user runs it: a process of its own, which ends by itself. The mirror's other
// cluster is Go etcd when CLIENT_SUITE_PROGRAM names it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { EtcdClient } from "../../src/client/client.ts";
import { TestCluster } from "../e2e/cluster.ts";

const folder = join(import.meta.dirname, "../../examples");
const timeoutMs = 60_000;
const run = promisify(execFile);

let cluster: TestCluster;
let other: TestCluster;
before(async () => {
  const flags = ["--log-level=warn"];
  cluster = await TestCluster.start({ members: [{ name: "a" }], flags });
  const program = process.env["CLIENT_SUITE_PROGRAM"];
  const member = program === undefined ? { name: "b" } : { name: "b", program };
  other = await TestCluster.start({ members: [member], flags });
});
after(async () => {
  await cluster.close();
  await other.close();
});

async function output(name: string, env: Record<string, string> = {}): Promise<string[]> {
  const { stdout, stderr } = await run(process.execPath, [join(folder, name)], {
    timeout: timeoutMs,
    env: { ...process.env, ETCD_ENDPOINTS: cluster.endpoints.join(), ...env },
  });
  assert.equal(stderr, "");
  return stdout.trimEnd().split("\n");
}

const expected: Readonly<Record<string, readonly string[]>> = {
  "first-steps.ts": [
    "greeting: hello",
    "listed: steps/greeting",
    "listed: steps/settings",
    "transaction succeeded: true",
    "watched: put steps/settings",
    "watched: put steps/greeting",
    "watched: delete steps/settings",
    "watched: put steps/online",
    "watched: delete steps/online",
  ],
  "service-registry.ts": [
    "order of Ada of instance A",
    "order of Ada of instance B",
    "left: a",
    "listed at the end: 0",
  ],
  "config-hot-reload.ts": [
    "at the start: 10",
    "changed to: 20",
    'refused: The configuration at "example/limits" is no good: requestsPerSecond must be 1 or more',
    "still: 20",
    "on disk: 20",
    "from the file: 20",
  ],
  "lock-fencing.ts": [
    "first holds the lock; a second try gives: null",
    "second has a higher token: true",
    "first was told: true",
    "storage refused: the token is older than one seen before",
    "storage holds: by the second",
    "etcd took the first's write: false and the second's: true",
  ],
  "optimistic-update.ts": [
    "created: true and again: false",
    'in the end: {"replicas":10,"labels":{"tier":"front"}}',
    "writers began again: true",
    "deleted: true",
  ],
  "watch-cache.ts": [
    "loaded: Ada",
    "after a put: Grace",
    "renamed: Ada L.",
    "deleted: true left: 1",
    "empty: true",
  ],
};

for (const [name, lines] of Object.entries(expected)) {
  test(`the example ${name} does what it says`, async () => {
    assert.deepEqual(await output(name), lines);
  });
}

test("the example leader-election.ts hands leadership over twice", async () => {
  const lines = await output("leader-election.ts");
  const leaders = lines.filter((line) => line.startsWith("leader: "));
  // An observer may miss what was replaced at once; the order is that of the leaders.
  const all = ["leader: a", "leader: a, and busy", "leader: b", "leader: c"];
  assert.deepEqual(
    all.filter((line) => leaders.includes(line)),
    leaders,
  );
  assert.equal(leaders.at(-1), "leader: c");
  assert.ok(lines.includes("a did its task: true"));
  assert.ok(lines.includes("b lost its leadership: true"));
});

for (const direction of ["there", "back"] as const) {
  test(`the example mirror.ts brings a cluster ${direction}`, async (t) => {
    const [from, to] = direction === "there" ? [cluster, other] : [other, cluster];
    const source = new EtcdClient({ endpoints: from.endpoints });
    const target = new EtcdClient({ endpoints: to.endpoints });
    t.after(() => {
      source.close();
      target.close();
    });
    const prefix = `${direction}/`;
    await Promise.all(
      Array.from({ length: 300 }, (_, i) => source.kv.put(`${prefix}${i}`, String(i))),
    );
    const { header } = await target.kv.get(`${prefix}0`);
    const mirrored = output("mirror.ts", {
      SOURCE_ENDPOINTS: from.endpoints.join(),
      TARGET_ENDPOINTS: to.endpoints.join(),
      PREFIX: prefix,
      UNTIL: `${prefix}end`,
    });
    // A key of the copy is there: what comes now is behind its revision.
    const startRevision = header.revision + 1;
    const copied = target.watch.watch(`${prefix}0`, { startRevision });
    await copied[Symbol.asyncIterator]().next();
    await copied.cancel();
    await source.kv.delete(`${prefix}1`, { rangeEnd: `${prefix}2` });
    await source.kv.put(`${prefix}0`, "changed");
    await source.kv.put(`${prefix}end`, "");
    assert.deepEqual(await mirrored, ["copied: 300", "changes: 113"]);
    const state = async ({ kv }: EtcdClient): Promise<string[]> => {
      const { kvs } = await kv.get(prefix, { prefix: true });
      return kvs.map((one) => `${one.keyString()}=${one.string()}`);
    };
    assert.deepEqual(await state(target), await state(source));
    assert.ok((await state(target)).includes(`${prefix}0=changed`));
  });
}

test("every example is run here", () => {
  const run = [...Object.keys(expected), "leader-election.ts", "mirror.ts"];
  assert.deepEqual(readdirSync(folder).sort(), run.sort());
});
