// Unary calls of three clients against the same Quorate member, interleaved: npm's etcd3, Quorate's
// client and Go's clientv3; 100 calls under way in one process over one connection. Processor time
// is the client's.
import { fileURLToPath } from "node:url";

import { runCommand } from "../test/conformance/command.ts";
import type { Server } from "../test/conformance/servers.ts";
import { benchLimits } from "./limits.ts";
import type { Measured } from "./load.ts";
import { medians } from "./statistics.ts";

export const clientKinds = ["etcd3", "quorate", "clientv3"] as const;
export type ClientKind = (typeof clientKinds)[number];

export interface ClientCalls {
  readonly op: "get" | "put";
  readonly clients: number;
  readonly measured: Readonly<Record<ClientKind, Measured>>;
  /** What V8 allocates per call; none is known of Go. */
  readonly bytesPerCall: Readonly<Record<"etcd3" | "quorate", number>>;
}

export interface ClientBench {
  readonly loadgen: string;
  readonly rounds: number;
  readonly seconds: number;
}

const concurrency = 100;
const program = fileURLToPath(new URL("client-load.ts", import.meta.url));

async function output<T>(command: string, args: readonly string[]): Promise<T> {
  const result = await runCommand(command, args, { timeoutMs: benchLimits.loadTimeoutMs });
  if (result.code !== 0) throw new Error(`${command} ${args.join(" ")}: ${result.stderr}`);
  return JSON.parse(result.stdout) as T;
}

function node<T>(kind: ClientKind, server: Server, op: string, more: string[]): Promise<T> {
  const args = [program, kind, server.endpoint, op, String(concurrency), ...more];
  return output(process.execPath, args);
}

/** The load program measures whom it is told: here itself. */
function go(loadgen: string, server: Server, op: string, seconds: number): Promise<Measured> {
  const script = 'exec "$0" --pid $$ "$@"';
  const args = ["-c", script, loadgen, "--endpoint", server.endpoint, "--op", op];
  args.push("--conns", "1", "--clients", String(concurrency), "--seconds", String(seconds));
  return output("/bin/sh", args);
}

async function measureOp(
  server: Server,
  op: ClientCalls["op"],
  bench: ClientBench,
): Promise<ClientCalls> {
  const { loadgen, rounds, seconds } = bench;
  const all: Record<ClientKind, Measured[]> = { etcd3: [], quorate: [], clientv3: [] };
  for (let round = 0; round < rounds; round++) {
    for (const kind of ["etcd3", "quorate"] as const) {
      all[kind].push(await node(kind, server, op, [String(seconds)]));
    }
    all.clientv3.push(await go(loadgen, server, op, seconds));
  }
  const bytes = async (kind: ClientKind): Promise<number> => {
    const more = [String(seconds), "alloc"];
    return (await node<{ bytesPerCall: number }>(kind, server, op, more)).bytesPerCall;
  };
  return {
    op,
    clients: concurrency,
    measured: {
      etcd3: medians(all.etcd3),
      quorate: medians(all.quorate),
      clientv3: medians(all.clientv3),
    },
    bytesPerCall: { etcd3: await bytes("etcd3"), quorate: await bytes("quorate") },
  };
}

function line({ op, clients, measured, bytesPerCall }: ClientCalls): string {
  const one = (kind: ClientKind): string =>
    `${kind} ${measured[kind].perSecond.toFixed(0)}/s ${measured[kind].cpuUs.toFixed(1)} us CPU`;
  const ratio = measured.quorate.perSecond / measured.etcd3.perSecond;
  const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;
  return (
    `client ${op} ${clients}: ${clientKinds.map(one).join(", ")}; quorate/etcd3 ` +
    `${ratio.toFixed(2)}; allocated ${kib(bytesPerCall.etcd3)} -> ${kib(bytesPerCall.quorate)}\n`
  );
}

/** Prints a line per operation. */
export async function measureClientCalls(
  server: Server,
  bench: ClientBench,
): Promise<ClientCalls[]> {
  const results: ClientCalls[] = [];
  for (const op of ["put", "get"] as const) {
    const result = await measureOp(server, op, bench);
    process.stdout.write(line(result));
    results.push(result);
  }
  return results;
}
