// Puts load on one server and hands back what was measured.
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { hasCommand, runCommand } from "../test/conformance/command.ts";
import type { Server } from "../test/conformance/servers.ts";
import type { Cell } from "./cells.ts";
import { benchLimits } from "./limits.ts";
import { cpuUs } from "./process.ts";

/** One measurement; a latency is 0 where the tool gives none. */
export interface Measured {
  readonly operations: number;
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** The same measurement of both servers. */
export interface Compared {
  readonly name: string;
  readonly unit: Cell["unit"];
  readonly etcd: Measured;
  readonly quorate: Measured;
}

export interface LoadTarget {
  readonly label: string;
  /** host:port, several with commas between them. */
  readonly endpoint: string;
  /** Processes whose time counts, likewise. */
  readonly pid: number | string;
}

export interface LoadOptions {
  readonly loadgen: string;
  readonly seconds: number;
  readonly extra?: readonly string[];
}

export async function runLoad(
  server: LoadTarget,
  cell: Pick<Cell, "op" | "conns" | "clients">,
  options: LoadOptions,
): Promise<Measured> {
  const args = ["--endpoint", server.endpoint, "--op", cell.op, "--pid", String(server.pid)];
  args.push("--conns", String(cell.conns), "--clients", String(cell.clients));
  args.push("--seconds", String(options.seconds), ...(options.extra ?? []));
  const result = await runCommand(options.loadgen, args, { timeoutMs: benchLimits.loadTimeoutMs });
  if (result.code !== 0) {
    throw new Error(`loadgen ${args.join(" ")} against ${server.label}: ${result.stderr}`);
  }
  return JSON.parse(result.stdout) as Measured;
}

/** A gRPC message: no compression, length, bytes. */
function grpcFrame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** PutRequest or RangeRequest of one 16-byte key, field by field. */
function requestBody(op: "put" | "get"): Buffer {
  const key = Buffer.concat([Buffer.from([0x0a, 16]), Buffer.from("bench/0000000001")]);
  if (op === "get") return grpcFrame(key);
  const value = Buffer.concat([Buffer.from([0x12, 0x80, 0x02]), Buffer.alloc(256, "v")]);
  return grpcFrame(Buffer.concat([key, value]));
}

export function hasH2load(): Promise<boolean> {
  return hasCommand("h2load", "--version");
}

/** The same request again and again from a client that costs little; `clients` in flight in all. */
export async function runH2load(
  server: Server,
  cell: { readonly op: "put" | "get"; readonly conns: number; readonly clients: number },
  seconds: number,
): Promise<Measured> {
  const body = join(tmpdir(), `quorate-h2load-${process.pid}`);
  writeFileSync(body, requestBody(cell.op));
  const method = cell.op === "put" ? "Put" : "Range";
  const cpuBefore = cpuUs(server.pid);
  const args = ["-D", String(Math.max(1, Math.round(seconds))), "-c", String(cell.conns)];
  args.push("-m", String(cell.clients / cell.conns), "-d", body);
  args.push("-H", "content-type: application/grpc", "-H", "te: trailers");
  args.push(`http://${server.endpoint}/etcdserverpb.KV/${method}`);
  const result = await runCommand("h2load", args, { timeoutMs: benchLimits.loadTimeoutMs });
  const cpu = cpuUs(server.pid) - cpuBefore;
  rmSync(body);
  const rate = /finished in [\d.]+m?s, ([\d.]+) req\/s/.exec(result.stdout)?.[1];
  const done = /(\d+) succeeded, (\d+) failed, (\d+) errored/.exec(result.stdout);
  const operations = Number(done?.[1] ?? "0");
  if (rate === undefined || operations === 0) {
    throw new Error(`h2load against ${server.label}: ${result.stdout}${result.stderr}`);
  }
  return {
    operations,
    perSecond: Number(rate),
    cpuUs: cpu / operations,
    p50Us: 0,
    p99Us: 0,
    maxUs: 0,
  };
}
