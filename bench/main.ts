// Compares Quorate's speed with Go etcd 3.7.1 on this machine: `npm run bench -- [options]`.
//
//   --rounds N --seconds S     interleaved rounds of each cell and the length of one
//   --keys N                   keys of the memory and restart measurement
//   --only PART,...            cells, h2load, large, turns, profiles, client, cluster (= cluster-
//                              loads, gaps, catch-up); with fewer nothing is written, unless
//   --write                    the parts that ran take the place of those in bench/baseline.json
//   --changes N                changes of leader of each kind in a cluster of three
//   --catch-up-keys N          keys of 1,900 bytes of the member that catches up by snapshot
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
import { measureCatchUp, type CatchUp } from "./catch-up.ts";
import { cellName, cells, type Cell } from "./cells.ts";
import { measureClientCalls, type ClientCalls } from "./client-calls.ts";
import { measureClientWatches, type ClientWatches } from "./client-watch.ts";
import { measureClusterLoads, type ClusterBench, type Kind } from "./cluster.ts";
import { mergeResults, renderDocument, type Results } from "./document.ts";
import { measureCtlStart, type CtlStart } from "./ctl-start.ts";
import { measureFloor } from "./floor.ts";
import { measureGaps } from "./gaps.ts";
import { measureLarge, type Large } from "./large.ts";
import { benchLimits } from "./limits.ts";
import { hasH2load, runH2load, runLoad, type Compared, type Measured } from "./load.ts";
import { machine } from "./machine.ts";
import { profile, type Profile } from "./profile.ts";
import { compared } from "./statistics.ts";
import { measureTurns, type Phase } from "./turns.ts";

const clusterParts = ["cluster-loads", "gaps", "catch-up"];
const allParts = ["cells", "h2load", "large", "turns", "profiles", "client", ...clusterParts];

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: String(benchLimits.rounds) },
    seconds: { type: "string", default: String(benchLimits.seconds) },
    keys: { type: "string", default: String(benchLimits.largeKeys) },
    only: { type: "string", default: allParts.join(",") },
    write: { type: "boolean", default: false },
    changes: { type: "string", default: String(benchLimits.leaderChanges) },
    "catch-up-keys": { type: "string", default: String(benchLimits.catchUpKeys) },
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
  return compared(name, unit, etcd, quorate);
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

/** The loads whose goals are missed, or nearly so. */
const profiledCells: readonly Cell[] = [
  { op: "watch", conns: 10, clients: 4, unit: "event" },
  { op: "txn", conns: 100, clients: 1000, unit: "call" },
  { op: "get", conns: 1, clients: 1, unit: "call" },
];

async function measureProfiles(programs: Programs): Promise<Profile[]> {
  const profiles: Profile[] = [];
  for (const cell of profiledCells) {
    const load = { loadgen: programs.loadgen, seconds: benchLimits.profileSeconds };
    const one = await profile(options.program, cell, load);
    if (one !== undefined) profiles.push(one);
  }
  return profiles;
}

async function measureClients(
  programs: Programs,
): Promise<{ clientCalls: ClientCalls[]; clientWatches: ClientWatches; ctlStart: CtlStart }> {
  const server = await startQuorate(programs);
  try {
    const { loadgen } = programs;
    const clientCalls = await measureClientCalls(server, { loadgen, rounds, seconds });
    const clientWatches = await measureClientWatches(server, { rounds, seconds });
    const ctlStart = await measureCtlStart(options.program, programs.etcdctl);
    return { clientCalls, clientWatches, ctlStart };
  } finally {
    await server.close();
  }
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
  const parts = options.only.split(",").flatMap((p) => (p === "cluster" ? clusterParts : [p]));
  const results = await measure(programs, parts);
  const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const notes = readFileSync(at("notes.md"), "utf8");
  const isWhole = allParts.every((part) => parts.includes(part));
  if (options.self || !(isWhole || options.write)) {
    process.stdout.write(renderDocument(results, notes));
    return;
  }
  const stored = at("baseline.json");
  const all = isWhole
    ? results
    : mergeResults(JSON.parse(readFileSync(stored, "utf8")) as Results, results);
  mkdirSync(at("../docs"), { recursive: true });
  writeFileSync(stored, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(at("../docs/benchmarks.md"), renderDocument(all, notes));
  process.stdout.write("written: bench/baseline.json, docs/benchmarks.md\n");
}

async function measure(programs: Programs, parts: readonly string[]): Promise<Results> {
  const floor = await measureFloor();
  process.stdout.write(`floor: ${JSON.stringify(floor)}\n`);
  const needsPair = parts.includes("cells") || parts.includes("h2load");
  const one = !needsPair
    ? []
    : await withPair(programs, async (pair) => [
        ...(parts.includes("cells") ? await measureCells(programs, pair) : []),
        ...(parts.includes("h2load") ? await measureH2load(pair) : []),
      ]);
  const large = parts.includes("large") ? await measureBothLarge(programs) : undefined;
  const turns = parts.includes("turns") ? await measureBothTurns(programs) : undefined;
  const profiles = parts.includes("profiles") ? await measureProfiles(programs) : undefined;
  const clients = parts.includes("client") ? await measureClients(programs) : {};
  const quorate = options.self ? programs.etcd : options.program;
  const bench = { programs, quorate, rounds, seconds };
  const three = parts.includes("cluster-loads") ? await measureClusterLoads(bench) : [];
  const gaps = parts.includes("gaps")
    ? await measureGaps(bench, Number(options.changes))
    : undefined;
  const catchUp = parts.includes("catch-up") ? await measureBothCatchUps(bench) : undefined;
  const results = { machine: machine(), rounds, seconds, floor, compared: [...one, ...three] };
  return { ...results, large, turns, profiles, gaps, catchUp, ...clients };
}

/** One cluster at a time, as with the memory of one member. */
async function measureBothCatchUps(
  bench: ClusterBench,
): Promise<{ etcd: CatchUp; quorate: CatchUp }> {
  const one = async (kind: Kind): Promise<CatchUp> => {
    const result = await measureCatchUp(bench, kind, Number(options["catch-up-keys"]));
    process.stdout.write(`${kind} catch-up: ${JSON.stringify(result)}\n`);
    return result;
  };
  return { etcd: await one("etcd"), quorate: await one("quorate") };
}

await main();
