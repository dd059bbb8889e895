// Builds Go etcd 3.7.1, its tools and our own Go programs into a cache folder outside the tree.
//
// BLD1  The folder's name is a hash of go.mod and go.sum, so programs of other modules never mix.
// BLD2  etcd's programs are built only when missing; ours always, which Go's own cache makes quick.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { hasCommand, runCommand } from "./command.ts";

const moduleFolder = fileURLToPath(new URL(".", import.meta.url));
const buildTimeoutMs = 15 * 60_000;

const etcdPrograms = {
  etcd: "go.etcd.io/etcd/server/v3",
  etcdctl: "go.etcd.io/etcd/etcdctl/v3",
  etcdutl: "go.etcd.io/etcd/etcdutl/v3",
} as const;

const ownPrograms = ["scenarios", "randdiff", "loadgen"] as const;

type Program = keyof typeof etcdPrograms | (typeof ownPrograms)[number];

/** Absolute path of each built program. */
export type Programs = Readonly<Record<Program, string>>;

/** Folder for everything built or installed for tests; `QUORATE_CACHE` overrides it. */
export function cacheFolder(): string {
  const hash = createHash("sha256");
  for (const name of ["go.mod", "go.sum"]) hash.update(readFileSync(join(moduleFolder, name)));
  const base = process.env["QUORATE_CACHE"] ?? join(homedir(), ".cache", "quorate");
  const folder = join(base, hash.digest("hex").slice(0, 16));
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Builds one Go package of the module in `cwd` into `out`. Throws with Go's own message. */
export async function goBuild(cwd: string, out: string, pkg: string): Promise<void> {
  const args = ["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, pkg];
  const result = await runCommand("go", args, { cwd, timeoutMs: buildTimeoutMs });
  if (result.code !== 0) throw new Error(`go build ${pkg} failed:\n${result.stderr}`);
}

/** Builds what is missing. Throws with a clear message when Go is not installed. */
export async function buildPrograms(): Promise<Programs> {
  if (!(await hasCommand("go", "version"))) {
    throw new Error("Go is not installed: the conformance suite and the benchmark need Go >= 1.26");
  }
  const folder = cacheFolder();
  const programs: Record<string, string> = {};
  for (const [name, pkg] of Object.entries(etcdPrograms)) {
    programs[name] = join(folder, name);
    if (existsSync(programs[name])) continue;
    process.stderr.write(`Building ${name} (${pkg}), some minutes when nothing is cached\n`);
    await goBuild(moduleFolder, programs[name], pkg);
  }
  for (const name of ownPrograms) {
    programs[name] = join(folder, name);
    await goBuild(moduleFolder, programs[name], `./cmd/${name}`);
  }
  return programs as Programs;
}

if (import.meta.main) {
  for (const [name, path] of Object.entries(await buildPrograms())) {
    process.stdout.write(`${name} ${path}\n`);
  }
}
