import { ExitError, exitCode } from "../../cli/run.ts";
import type { Caller } from "../../client/caller.ts";
import { CanceledError } from "../../client/errors.ts";
import { KvArea } from "../../client/kv.ts";
import { Session as LeaseSession } from "../../client/lease/session.ts";
import type { Lock } from "../../client/recipes/mutex.ts";
import { Mutex } from "../../client/recipes/mutex.ts";
import type { CtlCall } from "../commands/spec.ts";
import { showGet } from "../print/kv.ts";
import type { Session } from "../session.ts";
import { askCaller, openSession } from "../session.ts";
import { rangeResponse } from "../wire/schemas.ts";
import { areasOf } from "./areas.ts";
import { runChild } from "./child.ts";
import { badUse } from "./get.ts";

/** TTL of sessions where `--ttl` is none: as in Go's client. */
const ttlSecondsDefault = 60;

export async function runLock(call: CtlCall): Promise<void> {
  const [name, ...command] = call.args;
  if (name === undefined) {
    throw badUse("lock takes a lock name argument and an optional command to execute");
  }
  const session = await openSession(call);
  await session.run(async ({ caller }) => {
    const ttl = call.flags.int("ttl");
    const ttlSeconds = ttl > 0 ? ttl : ttlSecondsDefault;
    const held = await LeaseSession.create(areasOf(caller), { ttlSeconds });
    const interruption = call.context.interrupted();
    try {
      const lock = await lockUntil(new Mutex(held, name, ""), interruption);
      if (command.length > 0) await runLocked(session, lock, command);
      else await holdLock(session, caller, lock, interruption);
    } finally {
      // Its lease would otherwise live on until its TTL is over.
      await held.close(session.short).catch(() => undefined);
    }
  });
}

async function lockUntil(mutex: Mutex, interruption: Promise<void>): Promise<Lock> {
  const stop = new AbortController();
  void interruption.then(() => {
    stop.abort(new CanceledError());
  });
  return mutex.lock({ signal: stop.signal });
}

/** The command's exit code is ours. */
async function runLocked(session: Session, lock: Lock, command: readonly string[]): Promise<void> {
  const { code, problem } = await runChild(command, {
    ETCD_LOCK_KEY: lock.key,
    ETCD_LOCK_REV: String(lock.fencingRevision),
    ...session.call.context.env,
  });
  await lock.unlock();
  if (problem !== undefined) throw new ExitError(code > 0 ? code : exitCode.error, problem);
}

/** Until a signal comes, or the session is lost. */
async function holdLock(
  session: Session,
  caller: Caller,
  lock: Lock,
  interruption: Promise<void>,
): Promise<void> {
  const response = await askCaller(caller, rangeResponse, (recorder) =>
    new KvArea(recorder).get(lock.key, session.patient),
  );
  if (response.kvs.length === 0) throw new ExitError(exitCode.error, "lock lost on init");
  session.show(showGet(response));
  if (await isLostFirst(lock.lost, interruption)) {
    throw new ExitError(exitCode.error, "session expired");
  }
  await lock.unlock();
}

/** Whether `lost` fired before the program was interrupted. */
export async function isLostFirst(
  lost: AbortSignal,
  interruption: Promise<void>,
): Promise<boolean> {
  const loss = new Promise<void>((resolve) => {
    if (lost.aborted) resolve();
    else lost.addEventListener("abort", () => resolve(), { once: true });
  });
  return Promise.race([loss.then(() => true), interruption.then(() => false)]);
}
