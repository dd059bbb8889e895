import { readFileSync } from "node:fs";
import type { Agent, RequestOptions } from "node:https";
import { ExitError, exitCode } from "../../cli/run.ts";
import { errorText } from "../../cli/system-error.ts";
import type { CtlCall } from "../commands/spec.ts";
import { looseBytes } from "../input/loose-text.ts";
import { ProgressBar } from "../progress.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import type { Measured } from "./check-load.ts";
import { chooseLoad, LoadClients, randomKey } from "./check-load.ts";

interface Load {
  readonly keys: number;
  readonly clients: number;
}

const loads: Readonly<Record<string, Load>> = {
  s: { keys: 10_000, clients: 50 },
  m: { keys: 100_000, clients: 200 },
  l: { keys: 1_000_000, clients: 500 },
  xl: { keys: 3_000_000, clients: 1_000 },
};

const keyBytes = 512;
const valueBytes = 512;
const mebibyte = 1024 * 1024;

export async function runCheckDatascale(call: CtlCall): Promise<void> {
  const { flags } = call;
  const load = chooseLoad(loads, flags.string("load"));
  const prefix = flags.string("prefix");
  const session = await openSession(call);
  const endpoint = session.settings.endpoints[0] ?? "";
  await session.run(async () => {
    const clients = new LoadClients(session, load.clients);
    try {
      await clients.refuseUsed(prefix, `etcdctl del --prefix ${prefix}`);
      const before = await memoryOf(session, endpoint, "before");
      session.print(
        `Start data scale check for work load [${load.keys} key-value pairs, ` +
          `${keyBytes + valueBytes} bytes per key-value, ${load.clients} concurrent clients].\n`,
      );
      const measured = await run(call, clients, load, looseBytes(prefix));
      const after = await memoryOf(session, endpoint, "after");
      const revision = await clients.remove(prefix, Infinity);
      if (flags.bool("auto-compact")) await clients.compact(revision);
      if (flags.bool("auto-defrag")) await clients.defragment();
      judge(session, measured, after - before);
    } finally {
      clients.close();
    }
  });
}

async function run(
  call: CtlCall,
  clients: LoadClients,
  { keys }: Load,
  prefix: Uint8Array,
): Promise<Measured> {
  const bar = new ProgressBar(call, "count");
  let started = 0;
  const next = (): Promise<Uint8Array | null> => {
    bar.update(started, keys);
    return Promise.resolve(started++ < keys ? randomKey(prefix, keyBytes) : null);
  };
  try {
    return await clients.write(next, new Uint8Array(valueBytes));
  } finally {
    bar.end();
  }
}

function judge(session: Session, measured: Measured, usedBytes: number): void {
  const errors = measured.errorLines();
  if (errors === "") {
    const used = (usedBytes / mebibyte).toFixed(2);
    session.print(`PASS: Approximate system memory used : ${used} MB.\n`);
    return;
  }
  session.print(errors);
  throw new ExitError(exitCode.error, "");
}

const metric = "process_resident_memory_bytes";

/** Memory of the server, as it says itself. @throws ExitError */
async function memoryOf(session: Session, endpoint: string, when: string): Promise<number> {
  const host = /^https?:\/\//.test(endpoint) ? endpoint : `http://${endpoint}`;
  try {
    const text = await fetchText(session, `${host}/metrics`);
    const line = text.split("\n").find((one) => one.startsWith(metric));
    const bytes = Number(line?.slice(metric.length).trim());
    if (bytes > 0) return bytes;
    session.print(`could not find: ${metric}\n`);
  } catch (error) {
    session.print(`fetch error: ${errorText(error)}\n`);
  }
  session.print(`FAIL: Could not read ${metric} ${when} the put operations.\n`);
  throw new ExitError(exitCode.error, "");
}

async function fetchText(session: Session, url: string): Promise<string> {
  const { request } = url.startsWith("https:")
    ? await import("node:https")
    : await import("node:http");
  return new Promise((resolve, reject) => {
    request(url, tlsOptions(session), (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => (text += piece));
      response.on("end", () => resolve(text));
      response.on("error", reject);
    })
      .on("error", reject)
      .end();
  });
}

function tlsOptions({ settings }: Session): RequestOptions & { agent?: Agent | false } {
  const { cert, key, cacert, isVerifySkipped } = settings.secure;
  return {
    agent: false,
    rejectUnauthorized: !isVerifySkipped,
    ...(cert === "" ? {} : { cert: readFileSync(cert), key: readFileSync(key) }),
    ...(cacert === "" ? {} : { ca: readFileSync(cacert) }),
  };
}
