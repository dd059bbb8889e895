/** One server process from its start to its end, with any listen URL and flags. */
import { spawn } from "node:child_process";
import { once } from "node:events";

import { freePort, quorateProgram } from "../conformance/servers.ts";

const outcomeMsMax = 30_000;

/** `served`: what `use` answered. `ended`: before it served. */
export type Outcome<T> =
  | { readonly kind: "served"; readonly value: T }
  | { readonly kind: "ended"; readonly code: number | null; readonly log: string };

export interface ServeOptions<T> {
  readonly dataDir: string;
  /** Runs while it serves. */
  readonly use: (url: string) => Promise<T>;
  /** Without it: http on a free port. */
  readonly listenUrl?: string;
  readonly flags?: readonly string[];
  readonly launcher?: readonly string[];
  readonly uid?: number;
  /** What ends it after `use`. */
  readonly signal?: NodeJS.Signals;
}

export async function serve<T>(options: ServeOptions<T>): Promise<Outcome<T>> {
  const url = options.listenUrl ?? `http://127.0.0.1:${String(await freePort())}`;
  const [program, ...args] = [
    ...(options.launcher ?? []),
    ...[quorateProgram, "--data-dir", options.dataDir],
    ...["--listen-client-urls", url, "--advertise-client-urls", "http://127.0.0.1:2379"],
    ...["--listen-peer-urls", `http://127.0.0.1:${String(await freePort())}`],
    ...(options.flags ?? []),
  ];
  const { uid } = options;
  const child = spawn(program!, args, uid === undefined ? {} : { uid, gid: uid });
  const closed = once(child, "close") as Promise<[number | null]>;
  let log = "";
  const served = new Promise<true>((resolve) => {
    const collect = (chunk: Buffer): void => {
      log += chunk.toString();
      if (log.includes('"ready to serve client requests"')) resolve(true);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
  });
  const deadline = setTimeout(() => child.kill("SIGKILL"), outcomeMsMax);
  try {
    if ((await Promise.race([served, closed])) !== true) {
      return { kind: "ended", code: (await closed)[0], log };
    }
    return { kind: "served", value: await options.use(url) };
  } finally {
    clearTimeout(deadline);
    child.kill(options.signal ?? "SIGKILL");
    await closed;
  }
}
