// Compares Quorate with Go etcd 3.7.1: `npm run conformance -- [--only part,part] [--n N] [--seed
// S] [--self]`. With --self Go etcd takes Quorate's place, which must give no difference at all.
// The last line is `N passed, N failed`; the exit code says whether anything failed.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { buildPrograms, type Programs } from "./build.ts";
import { clientAgainstGo } from "./client.ts";
import { runCommand } from "./command.ts";
import { compareClusters } from "./cluster-answers.ts";
import { compareCtl } from "./ctl.ts";
import { compareEtcdctl } from "./etcdctl.ts";
import { compareHttp } from "./http.ts";
import { mixedJoin } from "./mixed-join.ts";
import { mixedLeases } from "./mixed-leases.ts";
import { mixedPhases } from "./mixed-phases.ts";
import { comparePeers } from "./peers.ts";
import { checkReadme } from "./readme-cluster.ts";
import { Report } from "./report.ts";
import { compareScenarios } from "./scenarios.ts";
import { quorateProgram, startServer, type Server } from "./servers.ts";
import { compareSnapshots } from "./snapshots.ts";
import { runTours } from "./tours.ts";
import { compareUtl } from "./utl.ts";
import { rollingTrip } from "./utl-rolling.ts";
import { roundTrip } from "./utl-round-trip.ts";

const randomRequestsDefault = "10000";
const randomTimeoutMs = 60 * 60_000;
const otherSuiteTimeoutMs = 10 * 60_000;

const { values: options } = parseArgs({
  options: {
    only: {
      type: "string",
      default: [
        "scenarios,random,etcdctl,ctl,http,peers,snapshots,tours,h2spec,kill",
        "mixed-join,mixed-load,mixed-leases,cluster,readme,utl,round-trip,client",
      ].join(),
    },
    n: { type: "string", default: randomRequestsDefault },
    seed: { type: "string", default: "1" },
    self: { type: "boolean", default: false },
    program: { type: "string", default: quorateProgram },
    "max-differences": { type: "string", default: "10" },
  },
});

interface Pair {
  readonly want: Server;
  readonly got: Server;
}

async function withPair(programs: Programs, use: (pair: Pair) => Promise<void>): Promise<void> {
  const flags = ["--log-level", "warn"];
  const want = await startServer({
    label: "etcd",
    program: programs.etcd,
    flags: [...flags, "--unsafe-no-fsync"],
  });
  try {
    const program = options.self ? programs.etcd : options.program;
    const got = await startServer({ label: "quorate", program, flags });
    try {
      await use({ want, got });
    } finally {
      await got.close();
    }
  } finally {
    await want.close();
  }
}

async function compareRandom(report: Report, programs: Programs, pair: Pair): Promise<void> {
  const args = ["--want", pair.want.endpoint, "--got", pair.got.endpoint];
  args.push("--n", options.n, "--seed", options.seed);
  args.push("--max-differences", options["max-differences"]);
  const result = await runCommand(programs.randdiff, args, {
    timeoutMs: randomTimeoutMs,
    echo: true,
  });
  if (result.code === 0) report.pass();
  else report.fail("random requests", `seed ${options.seed}, see above`);
}

/** Suites that are programs of their own; a missing one is said, not passed over in silence. */
async function runOther(report: Report, name: string, file: string): Promise<void> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  if (!existsSync(path)) {
    report.fail(name, `${path} is missing`);
    return;
  }
  const result = await runCommand(process.execPath, [path], { timeoutMs: otherSuiteTimeoutMs });
  if (result.code === 0) report.pass();
  else report.fail(name, result.stdout.slice(-6_000) + result.stderr.slice(-6_000));
}

async function main(): Promise<number> {
  const report = new Report();
  const programs = await buildPrograms();
  const parts: Record<string, () => Promise<void>> = {
    scenarios: () => withPair(programs, (pair) => compareScenarios(report, programs, pair)),
    random: () => withPair(programs, (pair) => compareRandom(report, programs, pair)),
    etcdctl: () => withPair(programs, (pair) => compareEtcdctl(report, programs, pair)),
    ctl: () => compareCtl(report, programs),
    http: () => withPair(programs, (pair) => compareHttp(report, pair)),
    peers: () => comparePeers(report, programs),
    snapshots: () => withPair(programs, (pair) => compareSnapshots(report, programs, pair)),
    tours: () => withPair(programs, (pair) => runTours(report, pair)),
    h2spec: () => runOther(report, "h2spec", "../http2/h2spec.ts"),
    "mixed-join": async () => {
      await mixedJoin(report, programs, ["q", "g"]);
      await mixedJoin(report, programs, ["g", "q"]);
    },
    "mixed-load": async () => {
      for (const kinds of ["qqg", "ggq"]) await mixedPhases(report, programs, kinds);
    },
    "mixed-leases": () => mixedLeases(report, programs, "qqg"),
    cluster: () => compareClusters(report, programs),
    readme: () => checkReadme(report, programs),
    client: () => clientAgainstGo(report, programs),
    utl: () => compareUtl(report, programs),
    "round-trip": async () => {
      await rollingTrip(report, programs);
      await withPair(programs, (pair) => roundTrip(report, programs, pair));
    },
    kill: () => runOther(report, "kill -9 under load", "../crash/kill.ts"),
  };
  for (const name of options.only.split(",")) {
    const part = parts[name];
    if (part === undefined) throw new Error(`--only ${name}: not one of ${Object.keys(parts)}`);
    const [passed, failed, started] = [report.passed, report.failed, performance.now()];
    try {
      await part();
    } catch (error) {
      report.fail(name, error instanceof Error ? error.message : String(error));
    }
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    report.note(
      `${name}: ${report.passed - passed} passed, ${report.failed - failed} failed, ${seconds} s`,
    );
  }
  report.note(`${report.passed} passed, ${report.failed} failed`);
  return report.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
