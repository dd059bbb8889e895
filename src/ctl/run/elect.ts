import { ExitError, exitCode } from "../../cli/run.ts";
import type { Caller } from "../../client/caller.ts";
import { CanceledError } from "../../client/errors.ts";
import { KvArea } from "../../client/kv.ts";
import { Session as LeaseSession } from "../../client/lease/session.ts";
import { Election } from "../../client/recipes/election.ts";
import { WatchArea } from "../../client/watch/watch-area.ts";
import type { CtlCall } from "../commands/spec.ts";
import { looseBytes } from "../input/loose-text.ts";
import { showGet } from "../print/kv.ts";
import type { Session } from "../session.ts";
import { askCaller, openSession } from "../session.ts";
import { headerMessage, keyValueMessage } from "../wire/from-client.ts";
import type { KeyValueMessage, RangeResponse, ResponseHeader } from "../wire/schemas.ts";
import { rangeResponse } from "../wire/schemas.ts";
import { areasOf } from "./areas.ts";
import { badUse } from "./get.ts";
import { isLostFirst } from "./lock.ts";

export async function runElect(call: CtlCall): Promise<void> {
  const [election, proposal] = call.args;
  if (election === undefined || call.args.length > 2) {
    throw badUse("elect takes one election name argument and an optional proposal argument");
  }
  const isListening = call.flags.bool("listen");
  if (proposal === undefined && !isListening) {
    throw badUse("no proposal argument but -l not set");
  }
  if (proposal !== undefined && isListening) throw badUse("proposal given but -l is set");
  const session = await openSession(call);
  await session.run(({ caller }) =>
    proposal === undefined
      ? listen(session, caller, election)
      : campaign(session, caller, election, proposal),
  );
}

/** Leads until a signal comes, then resigns. */
async function campaign(
  session: Session,
  caller: Caller,
  name: string,
  proposal: string,
): Promise<void> {
  const held = await LeaseSession.create(areasOf(caller));
  const interruption = session.call.context.interrupted();
  const stop = new AbortController();
  void interruption.then(() => {
    stop.abort(new CanceledError());
  });
  try {
    const election = new Election(held, name);
    const leadership = await election.campaign(looseBytes(proposal), { signal: stop.signal });
    const response = await askCaller(caller, rangeResponse, (recorder) =>
      new KvArea(recorder).get(leadership.key, session.patient),
    );
    session.show(showGet(response));
    if (await isLostFirst(leadership.lost, interruption)) {
      throw new ExitError(exitCode.error, "elect: session expired");
    }
    await leadership.resign();
  } finally {
    await held.close(session.short).catch(() => undefined);
  }
}

/** Prints every leader and what it proclaims, until a signal comes. */
async function listen(session: Session, caller: Caller, name: string): Promise<void> {
  const stop = new AbortController();
  void session.call.context.interrupted().then(() => {
    stop.abort(new CanceledError());
  });
  const { signal } = stop;
  try {
    for await (const response of leaders(caller, `${name}/`, signal)) {
      session.show(showGet(response));
    }
  } catch (error) {
    if (signal.aborted) return;
    throw new ExitError(exitCode.error, "elect: observer lost", { cause: error });
  }
}

/** As the client's own `observe`, but with the headers of the answers, which are printed. */
async function* leaders(
  caller: Caller,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<RangeResponse, void> {
  const kv = new KvArea(caller);
  while (!signal.aborted) {
    const { header, kvs } = await kv.get(prefix, {
      ...{ prefix: true, limit: 1, sort: { by: "create", order: "ascend" } },
      ...{ signal, timeoutMs: Infinity },
    });
    const [leader] = kvs;
    if (leader === undefined) {
      await firstPut(caller, prefix, header.revision + 1, signal);
      continue;
    }
    yield answerOf(headerMessage(header), keyValueMessage(leader));
    const watcher = new WatchArea(caller).watch(leader.key, {
      startRevision: header.revision + 1,
      signal,
    });
    for await (const batch of watcher) {
      const end = batch.events.findIndex(({ type }) => type === "delete");
      const seen = end === -1 ? batch.events : batch.events.slice(0, end);
      for (const event of seen) {
        yield answerOf(headerMessage(batch.header), keyValueMessage(event.kv));
      }
      if (end !== -1) break;
    }
    await watcher.cancel();
  }
}

async function firstPut(
  caller: Caller,
  prefix: string,
  startRevision: number,
  signal: AbortSignal,
): Promise<void> {
  const watcher = new WatchArea(caller).watch(prefix, { prefix: true, startRevision, signal });
  for await (const event of watcher.events()) if (event.type === "put") break;
  await watcher.cancel();
}

function answerOf(header: ResponseHeader, kv: KeyValueMessage): RangeResponse {
  return { ...rangeResponse.empty(), header, kvs: [kv] };
}
