import assert from "node:assert/strict";
import { test } from "node:test";
import { errNoLeader, errStopped, errTimeout, type EtcdError } from "../base/etcd-errors.ts";
import type { Logger } from "../base/log.ts";
import { requestField } from "./apply/fields.ts";
import type { MembershipListener } from "./member/cluster.ts";
import type { Waiter } from "./proposals.ts";
import { Publisher } from "./publish.ts";

const result = undefined as never; // publishing does not look at it
const silent = { info: () => undefined, warn: () => undefined } as unknown as Logger;

function start(version = "") {
  const world = {
    proposed: [] as number[],
    waiting: [] as Waiter[],
    pauses: [] as (() => void)[],
    listeners: [] as MembershipListener[],
    done: 0,
    loadVersion: (text: string) => {
      cluster.version = text;
    },
    setVersion: (text: string) => {
      cluster.version = text;
      for (const listener of world.listeners) listener.versionChanged(text);
    },
  };
  const cluster = {
    ...{ id: 1n, localId: 2n, version },
    addListener: (listener: MembershipListener) => {
      world.listeners.push(listener);
    },
  };
  const publisher = new Publisher({
    ...{ log: silent, name: "n1", clientUrls: ["http://localhost:2379"], cluster },
    clock: {
      now: () => 0,
      wall: () => 0,
      after: (_ms, run) => {
        world.pauses.push(run);
        return { cancel: () => undefined };
      },
    },
    proposer: {
      propose: (field, _body, waiter) => {
        world.proposed.push(field);
        world.waiting.push(waiter);
      },
    },
    done: () => {
      world.done++;
    },
  });
  return { world, publisher };
}

test("a member is published once, when the first leader is known", () => {
  const { world, publisher } = start("3.7.0");
  assert.deepEqual(world.proposed, []);
  publisher.leaderKnown();
  publisher.leaderKnown();
  assert.deepEqual(world.proposed, [requestField.clusterMemberAttrSet]);
  assert.equal(world.done, 0);
  world.waiting[0]!.applied(result);
  assert.equal(world.done, 1);
});

test("clients are served only when the cluster has a version too, whichever comes last", () => {
  const late = start();
  late.publisher.leaderKnown();
  late.world.waiting[0]!.applied(result);
  assert.equal(late.world.done, 0);
  late.world.setVersion("3.0.0");
  late.world.setVersion("3.7.0");
  assert.equal(late.world.done, 1);

  const early = start();
  early.publisher.leaderKnown();
  early.world.setVersion("3.7.0");
  assert.equal(early.world.done, 0);
  early.world.waiting[0]!.applied(result);
  assert.equal(early.world.done, 1);
});

test("what fails is tried again after a pause, until the member stops", () => {
  const { world, publisher } = start();
  publisher.leaderKnown();
  const fail = (error: EtcdError): void => {
    world.waiting.at(-1)!.failed(error);
  };
  fail(errTimeout);
  assert.equal(world.proposed.length, 1);
  world.pauses.shift()!();
  fail(errNoLeader);
  world.pauses.shift()!();
  assert.deepEqual(world.proposed, new Array(3).fill(requestField.clusterMemberAttrSet));
  fail(errStopped);
  assert.deepEqual(world.pauses, []);
});

test("a version that comes with a snapshot counts like one that comes with the log", () => {
  const { world, publisher } = start();
  publisher.leaderKnown();
  world.waiting[0]!.applied(result);
  assert.equal(world.done, 0);
  world.loadVersion("3.7.0");
  publisher.installed();
  assert.equal(world.done, 1);
});

test("a snapshot may hold the entry that is waited for, so it is proposed again at once", () => {
  const { world, publisher } = start("3.7.0");
  publisher.leaderKnown();
  publisher.installed();
  assert.equal(world.proposed.length, 2);
  world.waiting[0]!.failed(errTimeout); // the first one is not tried again
  assert.deepEqual(world.pauses, []);
  world.waiting[1]!.applied(result);
  assert.equal(world.done, 1);
  publisher.installed();
  assert.equal(world.proposed.length, 2);
});

test("a pause before the next attempt ends with a snapshot", () => {
  const { world, publisher } = start("3.7.0");
  publisher.leaderKnown();
  world.waiting[0]!.failed(errNoLeader);
  publisher.installed();
  world.pauses.shift()!();
  assert.equal(world.proposed.length, 2);
  world.waiting[1]!.applied(result);
  assert.equal(world.done, 1);
});
