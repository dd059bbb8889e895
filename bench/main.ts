// Compares Quorate's speed with Go etcd 3.7.1 on this machine: `npm run bench -- [options]`.
//
//   --rounds N --seconds S     interleaved rounds of each cell and the length of one
//   --keys N                   keys of the memory and restart measurement
//   --only cells,h2load,large,turns  parts to run; with fewer than all nothing is written
//   --quick OP                 one cell at 100/1000 (or --shape C/N), one round, nothing written
//   --self                     Go etcd in Quorate's place, nothing written: shows the noise
//   --profile OP               the same cell against Quorate alone under V8's profiler
//   --program FILE             another build of Quorate than bin/etcd
//
// BEN1  Both servers run the whole time; each round measures Go etcd, then Quorate, so that a
//       change of the machine's speed meets both.
// BEN2  Both serve a few seconds of every call first: a server's life is its compiled code and its
//       zeroed log segments, not its first second.
// BEN3  Figures are medians over the rounds; processor time is that of the server process alone.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { buildPrograms, type Programs } from "../test/conformance/build.ts";
import { quorateProgram, startServer, type Server } from "../test/conformance/servers.ts";
import { cellName, cells, type Cell } from "./cells.ts";
import { renderDocument } from "./document.ts";
import { measureFloor } from "./floor.ts";
import { measureLarge, type Large } from "./large.ts";
import { benchLimits } from "./limits.ts";
import { hasH2load, runH2load, runLoad, type Compared, type Measured } from "./load.ts";
import { machine } from "./machine.ts";
import { profile } from "./profile.ts";
import { median } from "./statistics.ts";
import { measureTurns, type Phase } from "./turns.ts";

const allParts = ["cells", "h2load", "large", "turns"];

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: String(benchLimits.rounds) },
    seconds: { type: "string", default: String(benchLimits.seconds) },
    keys: { type: "string", default: String(benchLimits.largeKeys) },
    only: { type: "string", default: allParts.join(",") },
    shape: { type: "string", default: "100/1000" },
    quick: { type: "string" },
    profile: { type: "string" },
    self: { type: "boolean", default: false },
    program: { type: "string", default: quorateProgram },
  },
});

const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const serverFlags = ["--log-level", "warn", "--quota-backend-bytes", String(8 * 1024 ** 3)];

interface Pair {
  readonly etcd: Server;
  readonly quorate: Server;
}

function startEtcd(programs: Programs): Promise<Server> {
  return startServer({ label: "etcd", program: programs.etcd, flags: serverFlags });
}

function startQuorate(programs: Programs): Promise<Server> {
  const program = options.self ? programs.etcd : options.program;
  return startServer({ label: "quorate", program, flags: serverFlags });
}

function medians(all: readonly Measured[]): Measured {
  const of = (figure: keyof Measured): number => median(all.map((one) => one[figure]));
  return {
    operations: of("operations"),
    perSecond: of("perSecond"),
    cpuUs: of("cpuUs"),
    p50Us: of("p50Us"),
    p99Us: of("p99Us"),
    maxUs: of("maxUs"),
  };
}

/** One cell, ABAB (BEN1). */
async function compare(
  name: string,
  unit: Cell["unit"],
  pair: Pair,
  measure: (server: Server) => Promise<Measured>,
): Promise<Compared> {
  const etcd: Measured[] = [];
  const quorate: Measured[] = [];
  for (let round = 0; round < rounds; round++) {
    etcd.push(await measure(pair.etcd));
    quorate.push(await measure(pair.quorate));
  }
  const result = { name, unit, etcd: medians(etcd), quorate: medians(quorate) };
  const ratio = (figure: "perSecond" | "cpuUs"): string =>
    (result.quorate[figure] / result.etcd[figure]).toFixed(2);
  process.stdout.write(
    `${name}: ${result.etcd.perSecond.toFixed(0)} -> ${result.quorate.perSecond.toFixed(0)} per s ` +
      `(${ratio("perSecond")}), CPU ${result.etcd.cpuUs.toFixed(2)} -> ` +
      `${result.quorate.cpuUs.toFixed(2)} us (${ratio("cpuUs")})\n`,
  );
  return result;
}

async function measureCells(programs: Programs, pair: Pair): Promise<Compared[]> {
  const results: Compared[] = [];
  const load = { loadgen: programs.loadgen, seconds };
  for (const op of ["put", "get", "txn"]) {
    const warmUp: Cell = { op, conns: 10, clients: 100, unit: "call" };
    for (const server of [pair.etcd, pair.quorate]) {
      await runLoad(server, warmUp, { ...load, seconds: benchLimits.warmUpSeconds });
    }
  }
  for (const cell of cells) {
    const measure = (server: Server): Promise<Measured> => runLoad(server, cell, load);
    results.push(await compare(cellName(cell), cell.unit, pair, measure));
  }
  return results;
}

async function measureH2load(pair: Pair): Promise<Compared[]> {
  if (!(await hasH2load())) {
    process.stdout.write("h2load is missing (Debian package nghttp2-client): left out\n");
    return [];
  }
  const results: Compared[] = [];
  for (const op of ["put", "get"] as const) {
    for (const [conns, clients] of [
      [10, 100],
      [100, 1000],
    ] as const) {
      const cell = { op, conns, clients };
      const measure = (server: Server): Promise<Measured> => runH2load(server, cell, seconds);
      results.push(await compare(`h2load ${cellName(cell)}`, "call", pair, measure));
    }
  }
  return results;
}

async function withPair<T>(programs: Programs, use: (pair: Pair) => Promise<T>): Promise<T> {
  const etcd = await startEtcd(programs);
  try {
    const quorate = await startQuorate(programs);
    try {
      return await use({ etcd, quorate });
    } finally {
      await quorate.close();
    }
  } finally {
    await etcd.close();
  }
}

/** One server at a time, so that neither's memory presses on the other. */
async function measureBothLarge(programs: Programs): Promise<{ etcd: Large; quorate: Large }> {
  const wanted = { ...programs, keys: Number(options.keys) };
  const one = async (start: (programs: Programs) => Promise<Server>): Promise<Large> => {
    const server = await start(programs);
    try {
      const large = await measureLarge(server, wanted);
      process.stdout.write(`${server.label}: ${JSON.stringify(large)}\n`);
      return large;
    } finally {
      await server.close();
    }
  };
  return { etcd: await one(startEtcd), quorate: await one(startQuorate) };
}

async function measureBothTurns(programs: Programs): Promise<{ etcd: Phase[]; quorate: Phase[] }> {
  const one = async (start: (programs: Programs) => Promise<Server>): Promise<Phase[]> => {
    const server = await start(programs);
    try {
      return await measureTurns(server, programs);
    } finally {
      await server.close();
    }
  };
  return { etcd: await one(startEtcd), quorate: await one(startQuorate) };
}

function oneCell(op: string): Cell {
  const [conns, clients] = options.shape.split("/").map(Number);
  return { op, conns: conns ?? 1, clients: clients ?? 1, unit: "call" };
}

async function main(): Promise<void> {
  const programs = await buildPrograms();
  if (options.profile !== undefined) {
    await profile(options.program, oneCell(options.profile), {
      loadgen: programs.loadgen,
      seconds,
    });
    return;
  }
  if (options.quick !== undefined) {
    const cell = oneCell(options.quick);
    const load = { loadgen: programs.loadgen, seconds };
    await withPair(programs, async (pair) => {
      const warmUp = { ...load, seconds: benchLimits.warmUpSeconds };
      for (const server of [pair.etcd, pair.quorate]) await runLoad(server, cell, warmUp); // BEN2
      await compare(cellName(cell), cell.unit, pair, (server) => runLoad(server, cell, load));
    });
    return;
  }
  const parts = options.only.split(",");
  const floor = await measureFloor();
  process.stdout.write(`floor: ${JSON.stringify(floor)}\n`);
  const needsPair = parts.includes("cells") || parts.includes("h2load");
  const compared = !needsPair
    ? []
    : await withPair(programs, async (pair) => [
        ...(parts.includes("cells") ? await measureCells(programs, pair) : []),
        ...(parts.includes("h2load") ? await measureH2load(pair) : []),
      ]);
  const large = parts.includes("large") ? await measureBothLarge(programs) : undefined;
  const turns = parts.includes("turns") ? await measureBothTurns(programs) : undefined;
  const results = { machine: machine(), rounds, seconds, floor, compared, large, turns };
  const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const document = renderDocument(results, readFileSync(at("notes.md"), "utf8"));
  if (options.self || allParts.some((part) => !parts.includes(part))) {
    process.stdout.write(document);
    return;
  }
  mkdirSync(at("../docs"), { recursive: true });
  writeFileSync(at("baseline.json"), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(at("../docs/benchmarks.md"), document);
  process.stdout.write("written: bench/baseline.json, docs/benchmarks.md\n");
}

await main();
