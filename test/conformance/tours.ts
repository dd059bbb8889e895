// The same tour (put, get, prefix, txn, lease, watch, delete) by four other clients. Each is
// checked against Go etcd first, so that a fault of the client or of its installation is not blamed
// on us.
//
// TOU1  A tour whose toolchain is absent says so; it counts as failed only where CI=true.
import { cpSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { cacheFolder, goBuild } from "./build.ts";
import { hasCommand, runCommand } from "./command.ts";
import type { Report } from "./report.ts";
import type { Server } from "./servers.ts";

const installTimeoutMs = 5 * 60_000;
const tourTimeoutMs = 60_000;

/** A command that takes the endpoint as its last argument. */
type TourCommand = readonly [program: string, ...args: string[]];

interface Tour {
  readonly name: string;
  readonly needs: TourCommand;
  /** Installs into the cache folder when missing. */
  prepare(cache: string): Promise<TourCommand>;
}

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

async function must(program: string, args: readonly string[], cwd?: string): Promise<void> {
  const options = { timeoutMs: installTimeoutMs, ...(cwd === undefined ? {} : { cwd }) };
  const result = await runCommand(program, args, options);
  if (result.code !== 0) {
    throw new Error(
      `${program} ${args.join(" ")}:\n${(result.stdout + result.stderr).slice(-3_000)}`,
    );
  }
}

const tours: readonly Tour[] = [
  {
    name: "npm etcd3",
    needs: [process.execPath, "--version"],
    prepare: () => Promise.resolve([process.execPath, folder("tour-etcd3.ts")]),
  },
  {
    name: "clientv3 3.5",
    needs: ["go", "version"],
    async prepare(cache) {
      const program = join(cache, "tour-go35");
      await goBuild(folder("tour-go35"), program, ".");
      return [program];
    },
  },
  {
    name: "Python etcd3",
    needs: ["python3", "--version"],
    async prepare(cache) {
      const environment = join(cache, "python");
      const python = join(environment, "bin", "python");
      const done = join(environment, "installed");
      if (!existsSync(done)) {
        await must("python3", ["-m", "venv", environment]);
        const requirements = folder("tour-python/requirements.txt");
        await must(python, ["-m", "pip", "install", "-q", "-r", requirements]);
        writeFileSync(done, "");
      }
      return [python, folder("tour-python/tour.py")];
    },
  },
  {
    name: "jetcd",
    needs: ["mvn", "--version"],
    async prepare(cache) {
      const target = join(cache, "jetcd");
      const classes = join(target, "target", "classes");
      if (!existsSync(join(classes, "Tour.class"))) {
        cpSync(folder("tour-jetcd"), target, { recursive: true });
        await must("mvn", ["-q", "-B", "package"], target);
      }
      const jars = join(target, "target", "dependency", "*");
      return ["java", "-cp", `${classes}:${jars}`, "Tour"];
    },
  },
];

async function runTour(
  report: Report,
  tour: Tour,
  pair: { readonly want: Server; readonly got: Server },
): Promise<void> {
  if (!(await hasCommand(...tour.needs))) {
    const text = `${tour.needs[0]} is not installed: the tour with ${tour.name} is left out`;
    if (process.env["CI"] === "true") report.fail(`tour ${tour.name}`, text);
    else report.note(text);
    return;
  }
  const [program, ...args] = await tour.prepare(cacheFolder());
  for (const server of [pair.want, pair.got]) {
    const result = await runCommand(program, [...args, server.endpoint], {
      timeoutMs: tourTimeoutMs,
      env: { PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION: "python" },
    });
    const name = `tour ${tour.name} against ${server.label}`;
    if (result.code === 0) report.pass();
    else report.fail(name, (result.stdout + result.stderr).slice(-3_000));
  }
}

export async function runTours(
  report: Report,
  pair: { readonly want: Server; readonly got: Server },
): Promise<void> {
  for (const tour of tours) {
    try {
      await runTour(report, tour, pair);
    } catch (error) {
      report.fail(`tour ${tour.name}`, error instanceof Error ? error.message : String(error));
    }
  }
}
