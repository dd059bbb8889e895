import assert from "node:assert/strict";
import { test } from "node:test";
import { errTimeout, type EtcdError } from "../../base/etcd-errors.ts";
import { Hand, silent } from "../../../test/mvcc/rig.ts";
import { utf8 } from "../../base/bytes.ts";
import type { Done } from "../../base/ports.ts";
import type { PeerAnswer } from "../peer/peer-port.ts";
import { compareVersions, parseVersion } from "./cluster-version.ts";
import { nextClusterVersion, VersionMonitor } from "./version-monitor.ts";

const v = parseVersion;

test("versions are read and compared by their numbers", () => {
  assert.deepEqual(v("3.7.1"), { major: 3, minor: 7, patch: 1 });
  assert.deepEqual(v("3.10.0-rc.1"), { major: 3, minor: 10, patch: 0 });
  for (const bad of ["", "3.7", "v3.7.1", "not_decided", "3.7.1.0"]) assert.equal(v(bad), null);
  assert.ok(compareVersions(v("3.10.0")!, v("3.9.9")!) > 0);
});

test("the version agreed on follows the oldest member up, and down only in a downgrade", () => {
  assert.equal(nextClusterVersion("", v("3.7.1"), ""), "3.7.0");
  assert.equal(nextClusterVersion("", null, ""), "3.0.0");
  assert.equal(nextClusterVersion("3.0.0", v("3.7.1"), ""), "3.7.0");
  assert.equal(nextClusterVersion("3.0.0", null, ""), null);
  assert.equal(nextClusterVersion("3.7.0", v("3.7.1"), ""), null);
  assert.equal(nextClusterVersion("3.7.0", v("3.6.9"), ""), null);
  assert.equal(nextClusterVersion("3.7.0", v("3.7.1"), "3.6.0"), "3.6.0");
  assert.equal(nextClusterVersion("3.6.0", v("3.7.1"), "3.6.0"), null);
  assert.equal(nextClusterVersion("3.7.0", v("3.7.1"), "3.5.0"), null);
});

function create(others: readonly bigint[]) {
  const hand = new Hand();
  const plain = { peerUrls: [], name: "", clientUrls: [], isLearner: false };
  const world = {
    hand,
    isLeader: true,
    calls: [] as { id: bigint; path: string; done: Done<PeerAnswer> }[],
    proposed: [] as string[],
    ends: [] as ((error: EtcdError | null) => void)[],
    answer: (version: string): void => {
      const body = utf8(JSON.stringify({ etcdserver: version, etcdcluster: "3.0.0" }));
      world.calls.shift()!.done(null, { status: 200, body });
    },
  };
  const cluster = {
    ...{ localId: 1n, version: "" },
    downgrade: { targetVersion: "", isEnabled: false },
    members: () => [1n, ...others].map((id) => ({ ...plain, id })),
  };
  const monitor = new VersionMonitor({
    ...{ clock: hand, log: silent, requestTimeoutMs: 7000, cluster },
    isLeader: () => world.isLeader,
    peers: { call: (id, { path }, done) => world.calls.push({ id, path, done }) },
    propose: (version, done) => {
      world.proposed.push(version);
      world.ends.push(done);
    },
  });
  return { world, cluster, monitor };
}

test("a leader alone sets its own version at once", () => {
  const { world, monitor } = create([]);
  monitor.look();
  assert.deepEqual(world.proposed, ["3.7.0"]);
});

test("a leader asks everyone, every four seconds, and sets the lowest version", () => {
  const { world, cluster, monitor } = create([2n, 3n]);
  monitor.look();
  assert.deepEqual(
    world.calls.map(({ id, path }) => [id, path]),
    [
      [2n, "/version"],
      [3n, "/version"],
    ],
  );
  world.answer("3.6.4");
  world.hand.advance(4000); // the first look still waits: no second one beside it
  assert.equal(world.calls.length, 1);
  world.answer("3.7.1");
  assert.deepEqual(world.proposed, ["3.6.0"]);
  world.ends[0]!(errTimeout);
  world.hand.advance(4000);
  world.answer("3.7.1");
  world.answer("3.7.1");
  assert.deepEqual(world.proposed, ["3.6.0", "3.7.0"]);
  cluster.version = "3.7.0";
  world.hand.advance(4000);
  world.answer("3.7.1");
  world.answer("3.7.1");
  assert.equal(world.proposed.length, 2);
});

test("a member that cannot be asked leaves a new cluster at the lowest version, for now", () => {
  const { world, cluster, monitor } = create([2n]);
  monitor.look();
  world.calls.shift()!.done(new Error("down"), null as unknown as PeerAnswer);
  assert.deepEqual(world.proposed, ["3.0.0"]);
  cluster.version = "3.0.0";
  world.hand.advance(4000);
  world.calls.shift()!.done(null, { status: 200, body: utf8("<html>") });
  assert.deepEqual(world.proposed, ["3.0.0"]);
  world.hand.advance(4000);
  world.answer("3.7.1");
  assert.deepEqual(world.proposed, ["3.0.0", "3.7.0"]);
});

test("a follower does not ask, and who lost leadership or stopped does not propose", () => {
  const { world, monitor } = create([2n]);
  world.isLeader = false;
  monitor.look();
  assert.equal(world.calls.length, 0);
  world.isLeader = true;
  monitor.look();
  world.isLeader = false;
  world.answer("3.7.1");
  assert.deepEqual(world.proposed, []);
  world.isLeader = true;
  monitor.look();
  monitor.stop();
  world.answer("3.7.1");
  assert.deepEqual(world.proposed, []);
  assert.equal(world.hand.advance(10_000), false);
});
