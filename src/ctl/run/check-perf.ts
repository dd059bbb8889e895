import { setTimeout as delay } from "node:timers/promises";
import { ExitError, exitCode } from "../../cli/run.ts";
import type { CtlCall } from "../commands/spec.ts";
import { goErrorText } from "../go-error.ts";
import { looseBytes } from "../input/loose-text.ts";
import { ProgressBar } from "../progress.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import type { Measured } from "./check-load.ts";
import { chooseLoad, LoadClients, randomKey } from "./check-load.ts";

interface Load {
  readonly writesPerSecond: number;
  readonly clients: number;
}

const loads: Readonly<Record<string, Load>> = {
  s: { writesPerSecond: 150, clients: 50 },
  m: { writesPerSecond: 1_000, clients: 200 },
  l: { writesPerSecond: 8_000, clients: 500 },
  xl: { writesPerSecond: 15_000, clients: 1_000 },
};

const durationSeconds = 60;
const keyBytes = 256;
const valueBytes = 1_024;
/** What a cluster must reach to pass. */
const pass = { rateShare: 0.9, slowestSeconds: 0.5, deviationSeconds: 0.1 };

export async function runCheckPerf(call: CtlCall): Promise<void> {
  const { flags } = call;
  const load = chooseLoad(loads, flags.string("load"));
  const prefix = flags.string("prefix");
  const session = await openSession(call);
  const measured = await session.run(async () => {
    const clients = new LoadClients(session, load.clients);
    try {
      await clients.refuseUsed(prefix, `'etcdctl del --prefix ${prefix}'`);
      const result = await run(call, clients, load, looseBytes(prefix));
      await cleanUp(session, clients, prefix, flags.bool("auto-compact"));
      if (flags.bool("auto-defrag")) await clients.defragment();
      return result;
    } finally {
      clients.close();
    }
  });
  judge(session, measured, load);
}

/** Writes at the load's rate until the time is over or a signal comes. */
async function run(
  call: CtlCall,
  clients: LoadClients,
  { writesPerSecond }: Load,
  prefix: Uint8Array,
): Promise<Measured> {
  const bar = new ProgressBar(call, "count");
  const startedAt = performance.now();
  let isStopped = false;
  let started = 0;
  void call.context.interrupted().then(() => {
    isStopped = true;
  });
  const next = async (): Promise<Uint8Array | null> => {
    const dueAt = startedAt + (started++ * 1_000) / writesPerSecond;
    const waitMs = dueAt - performance.now();
    if (waitMs > 0) await delay(waitMs);
    const seconds = (performance.now() - startedAt) / 1_000;
    bar.update(Math.min(Math.floor(seconds), durationSeconds), durationSeconds);
    return isStopped || seconds >= durationSeconds ? null : randomKey(prefix, keyBytes);
  };
  try {
    return await clients.write(next, new Uint8Array(valueBytes));
  } finally {
    bar.end();
  }
}

/** What fails here does not fail the check. */
async function cleanUp(
  session: Session,
  clients: LoadClients,
  prefix: string,
  isCompacting: boolean,
): Promise<void> {
  try {
    const revision = await clients.remove(prefix);
    if (isCompacting) await clients.compact(revision);
  } catch (error) {
    const text = goErrorText(error);
    session.print(`FAIL: Cleanup failed during key deletion: ERROR(${text})\n`);
  }
}

function judge(session: Session, measured: Measured, { writesPerSecond }: Load): void {
  const { perSecond, slowest, deviation } = measured;
  const errors = measured.errorLines();
  const shownRate = Math.trunc(perSecond) + 1;
  const isFast = perSecond / writesPerSecond > pass.rateShare;
  const isSteady = slowest <= pass.slowestSeconds;
  const isEven = deviation <= pass.deviationSeconds;
  session.print(errors);
  session.print(
    isFast
      ? `PASS: Throughput is ${shownRate} writes/s\n`
      : `FAIL: Throughput too low: ${shownRate} writes/s\n`,
  );
  session.print(
    isSteady
      ? `PASS: Slowest request took ${slowest.toFixed(6)}s\n`
      : `Slowest request took too long: ${slowest.toFixed(6)}s\n`,
  );
  session.print(
    isEven
      ? `PASS: Stddev is ${deviation.toFixed(6)}s\n`
      : `Stddev too high: ${deviation.toFixed(6)}s\n`,
  );
  const isPassed = errors === "" && isFast && isSteady && isEven;
  session.print(isPassed ? "PASS\n" : "FAIL\n");
  if (!isPassed) throw new ExitError(exitCode.error, "");
}
