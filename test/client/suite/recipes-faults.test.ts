// A lock while members are killed and come back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { EtcdError } from "../../../src/client/errors.ts";
import { Session } from "../../../src/client/lease/session.ts";
import { op } from "../../../src/client/op.ts";
import { Mutex, type Lock } from "../../../src/client/recipes/mutex.ts";
import { Target } from "./target.ts";

const contenders = 5;
const rounds = 6;
/** Between two kills. */
const holdsPerKill = 10;

let target: Target;
before(async () => {
  target = await Target.start();
});
after(() => target.close());

/** Kills one member after the other, each when the one before is back, and not all at once. */
class Killer {
  kills = 0;
  #holds = 0;
  #running: Promise<void> = Promise.resolve();
  #isBusy = false;

  held(): void {
    if (++this.#holds % holdsPerKill !== 0 || this.#isBusy) return;
    this.#isBusy = true;
    this.#running = this.#kill().finally(() => (this.#isBusy = false));
  }

  /** Until the member killed last is back. */
  get idle(): Promise<void> {
    return this.#running;
  }

  async #kill(): Promise<void> {
    const { members } = target.cluster;
    const member = members[this.kills++ % members.length]!;
    await member.end("SIGKILL");
    await member.start();
  }
}

test("one session at a time holds a lock while members are killed", async () => {
  const { kv } = target.client;
  const killer = new Killer();
  const holders = new Set<Lock>();
  let written = 0;
  /** Writes of which the client does not know whether they happened. */
  let unknown = 0;

  const work = async (session: Session): Promise<void> => {
    const lock = await new Mutex(session, "faults/lock").lock();
    assert.ok(![...holders].some(({ lost }) => !lost.aborted), "two sessions hold the lock");
    holders.add(lock);
    killer.held();
    try {
      const { kvs } = await kv.get("faults/count");
      const next = op.put("faults/count", String(Number(kvs[0]?.string() ?? "0") + 1));
      unknown++;
      const { succeeded } = await kv.txn().if(lock.isOwner()).then(next).commit();
      unknown--;
      if (succeeded) written++;
    } finally {
      holders.delete(lock);
      await lock.unlock();
    }
  };

  const contender = async (): Promise<void> => {
    let session = await Session.create(target.client, { ttlSeconds: 30 });
    for (let round = 0; round < rounds;) {
      try {
        await work(session);
        round++;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        // Whether the lock is still held is not known: a new session is sure not to hold it.
        await killer.idle;
        await session.close();
        session = await Session.create(target.client, { ttlSeconds: 30 });
      }
    }
    await session.close();
  };
  await Promise.all(Array.from({ length: contenders }, contender));
  await killer.idle;
  const count = Number((await kv.get("faults/count")).kvs[0]?.string());
  assert.ok(killer.kills > 0);
  assert.ok(count >= written && count <= written + unknown, `${count} of ${written}+${unknown}`);
  assert.deepEqual((await kv.get("faults/lock/", { prefix: true })).kvs, []);
});
