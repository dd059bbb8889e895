import assert from "node:assert/strict";
import { test } from "node:test";
import { errNoLeader, errStopped, errTimeout, type EtcdError } from "../base/etcd-errors.ts";
import type { Logger } from "../base/log.ts";
import { requestField } from "./apply/fields.ts";
import type { Waiter } from "./proposals.ts";
import { publish } from "./publish.ts";
import type { Cluster } from "./member/cluster.ts";

const result = undefined as never; // publishing does not look at it
const silent = { info: () => undefined, warn: () => undefined } as unknown as Logger;

function start(): { proposed: number[]; waiting: Waiter[]; pauses: (() => void)[]; done: number } {
  const world = {
    proposed: [] as number[],
    waiting: [] as Waiter[],
    pauses: [] as (() => void)[],
    done: 0,
  };
  publish({
    ...{ log: silent, name: "n1", clientUrls: ["http://localhost:2379"] },
    cluster: { id: 1n, localId: 2n, version: "" } as unknown as Cluster,
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
  return world;
}

test("name and version are published once each", () => {
  const world = start();
  world.waiting[0]!.applied(result);
  assert.equal(world.done, 0);
  world.waiting[1]!.applied(result);
  assert.equal(world.done, 1);
  assert.deepEqual(world.proposed, [
    requestField.clusterMemberAttrSet,
    requestField.clusterVersionSet,
  ]);
});

test("what fails is tried again after a pause, until the member stops", () => {
  const world = start();
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
