// A data directory of Go etcd goes to Quorate and back, with 100,000 keys, leases, history and
// writes that no snapshot holds: at every step the server on it has the HashKV that the one before
// had, the same leases, keys and members.
import { rmSync } from "node:fs";
import { join } from "node:path";

import type { Programs } from "./build.ts";
import { runCommand } from "./command.ts";
import type { Report } from "./report.ts";
import type { Server } from "./servers.ts";
import { ourUtl } from "./utl.ts";

const keys = 100_000;
const leases = 50;
const stepTimeoutMs = 180_000;

interface Pair {
  readonly want: Server;
  readonly got: Server;
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const result = await runCommand(program, args, { timeoutMs: stepTimeoutMs });
  if (result.code !== 0) throw new Error(`${program} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

const ctl = (programs: Programs, server: Server, ...args: string[]): Promise<string> =>
  run(programs.etcdctl, ["--endpoints", server.endpoint, "--command-timeout", "60s", ...args]);

async function fill(programs: Programs, server: Server): Promise<void> {
  const load = (...args: string[]): Promise<string> =>
    run(programs.loadgen, ["--endpoint", server.endpoint, "--conns", "2", ...args]);
  await load("--op", "fill", "--keys", String(keys), "--clients", "32");
  await load("--op", "grant", "--keys", String(leases), "--ttl", "7200", "--attach");
  // History: some keys again, some deleted, a part of it compacted.
  await load("--op", "put", "--keys", "500", "--clients", "8", "--seconds", "1");
  await write(programs, server, "first");
  const status = await ctl(programs, server, "get", "large", "-w", "json");
  const revision = (JSON.parse(status) as { header: { revision: number } }).header.revision;
  await ctl(programs, server, "compact", String(revision - 300));
  await write(programs, server, "second");
}

/** A few writes of every kind; the last of them are in no snapshot when the process is killed. */
async function write(programs: Programs, server: Server, name: string): Promise<void> {
  await ctl(programs, server, "put", "large", "v".repeat(100_000));
  await ctl(programs, server, "put", `kept-${name}`, name);
  await ctl(programs, server, "put", "gone", name);
  await ctl(programs, server, "del", "gone");
}

/** Everything that must be the same on the other side. */
async function picture(programs: Programs, server: Server): Promise<string> {
  const hash = await ctl(programs, server, "endpoint", "hashkv", "-w", "json");
  const [one] = JSON.parse(hash) as { HashKV: Record<string, unknown> }[];
  const { hash: sum, compact_revision, hash_revision } = one?.HashKV ?? {};
  const count = await ctl(
    programs,
    server,
    "get",
    "",
    "--from-key",
    "--count-only",
    "-w",
    "fields",
  );
  return [
    `HashKV ${String(sum)} at ${String(hash_revision)}, compacted ${String(compact_revision)}`,
    /"Count" : \d+/.exec(count)?.[0],
    (await ctl(programs, server, "lease", "list")).split("\n").sort().join("\n"), // of a map
    await ctl(programs, server, "member", "list"),
    await ctl(programs, server, "get", "--prefix", "kept-"),
  ].join("\n");
}

const dataOf = (server: Server): string => join(server.folder, "data");

/** Ends the one server and starts the other on what it left. */
async function move(
  from: Server,
  to: Server,
  signal: NodeJS.Signals,
  args: readonly string[],
): Promise<string> {
  await from.end(signal);
  await to.end("SIGTERM");
  rmSync(dataOf(to), { recursive: true, force: true });
  const said = await run(ourUtl, args);
  await to.restart();
  return said;
}

/** The servers are left with each other's data. */
export async function roundTrip(report: Report, programs: Programs, pair: Pair): Promise<void> {
  const [go, ours] = [pair.want, pair.got];
  await fill(programs, go);
  const out = ["import-etcd", "--from", dataOf(go), "--data-dir", dataOf(ours)];
  const back = ["export-etcd", "--data-dir", dataOf(ours), "--to", dataOf(go)];
  const first = await picture(programs, go);
  if (!(Number(/"Count" : (\d+)/.exec(first)?.[1]) >= keys)) report.fail("round trip", first);
  await move(go, ours, "SIGKILL", out);
  report.compare("etcd's directory in Quorate", first, await picture(programs, ours));
  await write(programs, ours, "third");
  const second = await picture(programs, ours);
  await move(ours, go, "SIGKILL", back);
  report.compare("and back in etcd", second, await picture(programs, go));
  await write(programs, go, "fourth");
  const third = await picture(programs, go);
  // Cleanly ended, the tools tell the same number as the servers.
  const said = await move(go, ours, "SIGTERM", out);
  report.compare("and once more in Quorate", third, await picture(programs, ours));
  const told = /hash (\d+) at revision (\d+)/.exec(said);
  const wanted = /^HashKV (\d+) at (\d+)/.exec(third);
  report.compare("what import-etcd says", `${wanted?.slice(1)}`, `${told?.slice(1)}`);
}
