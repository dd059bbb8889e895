// etcdutl 3.7.1 and ours on files of the same content: texts, output, exit codes, and what the
// commands leave behind. Lines of the log on stderr are left out: they are for people.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Programs } from "./build.ts";
import type { CommandResult } from "./command.ts";
import { runCommand } from "./command.ts";
import type { Report } from "./report.ts";
import { startServer } from "./servers.ts";
import { equalLines, ourLines, restores, rewrittenLine } from "./utl-cases.ts";

export const ourUtl = fileURLToPath(new URL("../../bin/etcdutl", import.meta.url));

const commandTimeoutMs = 60_000;
const sha256Bytes = 32;
const cutPages = 2;
const pageBytes = 4096;

/** Names in the lines of utl-cases.ts. */
const places: readonly (readonly [string, string])[] = [
  ["$dir", "data"],
  ["$bolt", "data/member/snap/db"],
  ["$db", "saved.db"],
  ["$plain", "plain.db"],
  ["$changed", "changed.db"],
  ["$cut", "cut.db"],
];

function argsOf(line: string, out = ""): string[] {
  if (line === "") return [];
  let text = line.replaceAll("$out", out);
  for (const [name, path] of places) text = text.replaceAll(name, path);
  return text.split(" ");
}

async function run(program: string, args: readonly string[], cwd: string): Promise<CommandResult> {
  return await runCommand(program, args, { cwd, timeoutMs: commandTimeoutMs });
}

async function must(program: string, args: readonly string[], cwd: string): Promise<string> {
  const result = await run(program, args, cwd);
  if (result.code !== 0) throw new Error(`${program} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

/** A data directory and a snapshot of it: leases, deleted keys, a compaction, alarms of none. */
async function makeFiles(programs: Programs, folder: string): Promise<void> {
  const flags = ["--log-level", "error", "--unsafe-no-fsync"];
  const server = await startServer({ label: "utl", program: programs.etcd, flags });
  try {
    const ctl = (...args: string[]): Promise<string> =>
      must(programs.etcdctl, ["--endpoints", server.endpoint, ...args], folder);
    const lease = /lease ([0-9a-f]+) granted/.exec(await ctl("lease", "grant", "3600"))?.[1] ?? "";
    for (const key of ["a", "b", "c", "d"]) await ctl("put", key, `value of ${key}`);
    await ctl("put", "--lease", lease, "leased", "x");
    await ctl("del", "b");
    await ctl("put", "a", "again");
    await ctl("compact", "6");
    await ctl("put", "e", "after");
    await ctl("del", "c");
    await ctl("snapshot", "save", join(folder, "saved.db"));
    await server.end("SIGTERM");
    cpSync(join(server.folder, "data"), join(folder, "data"), { recursive: true });
  } finally {
    await server.close();
  }
  const saved = readFileSync(join(folder, "saved.db"));
  const content = saved.subarray(0, saved.length - sha256Bytes);
  writeFileSync(join(folder, "plain.db"), content);
  writeFileSync(join(folder, "cut.db"), content.subarray(0, cutPages * pageBytes));
  const wrong = createHash("sha256").update("another file").digest();
  writeFileSync(join(folder, "changed.db"), Buffer.concat([content, wrong]));
  writeFileSync(join(folder, "text"), "not a database\n");
  writeFileSync(join(folder, "empty"), "");
  mkdirSync(join(folder, "folder"));
  writeFileSync(join(folder, "folder", "file"), "");
}

/** Lines of the log: a time first; ours have no place in a source file. */
const logLine = /^\d{4}-\d\d-\d\dT[\d:]+Z\t.*\n/gm;

function shown({ stdout, stderr, code }: CommandResult): string {
  return `${stdout}--- stderr\n${stderr.replace(logLine, "")}--- exit ${code}\n`;
}

/** Files that lines of etcdutl's change, or may: each line finds them as they were. */
const fixed = ["saved.db", "plain.db", "changed.db", "cut.db", "text", "empty"];

function resetFiles(folder: string): void {
  for (const side of ["want", "got"]) {
    for (const name of fixed) cpSync(join(folder, "origin", name), join(folder, side, name));
    // A refused restore of etcdutl leaves a part of its work.
    for (let i = 1; i <= 9; i++) {
      rmSync(join(folder, side, `r${i}`), { recursive: true, force: true });
    }
  }
}

/** The size of a file that was written anew is each program's own. */
const isRewritten = (line: string): boolean => line === rewrittenLine;
const withoutSize = (text: string): string => text.replace(/"totalSize":\d+/, '"totalSize":');

/** Runs every line in both folders, in turn: what a command leaves behind is there for the next. */
async function compareLines(report: Report, programs: Programs, folder: string): Promise<void> {
  for (const line of equalLines) {
    resetFiles(folder);
    const [want, got] = await Promise.all([
      run(programs.etcdutl, argsOf(line), join(folder, "want")),
      run(ourUtl, argsOf(line), join(folder, "got")),
    ]);
    const compared = isRewritten(line) ? withoutSize : (text: string) => text;
    report.compare(`etcdutl ${line}`, compared(shown(want)), compared(shown(got)));
  }
}

async function compareRestores(report: Report, programs: Programs, folder: string): Promise<void> {
  const [want, got] = [join(folder, "want"), join(folder, "got")];
  for (const [i, line] of restores.entries()) {
    const out = `restored${i}`;
    resetFiles(folder);
    const made = await run(programs.etcdutl, argsOf(line, out), want);
    const ours = await run(ourUtl, argsOf(line, out), got);
    report.compare(`etcdutl ${line}`, shown(made), shown(ours));
    const hash = await must(programs.etcdutl, ["hashkv", `${out}/member/snap/db`], want);
    report.compare(`hashkv after ${line}`, hash, await must(ourUtl, ["hashkv", out], got));
    const wal = line.includes("--wal-dir") ? ["--wal-dir", `${out}-wal`] : [];
    const verified = await run(ourUtl, ["verify", "--data-dir", out, ...wal], got);
    report.compare(`verify after ${line}`, "0 ", `${verified.code} ${verified.stderr}`);
  }
  // The tools of the other one read the same from the same file.
  const bolt = join(want, "restored0/member/snap/db");
  report.compare(
    "hashkv of etcdutl's restored file",
    await must(programs.etcdutl, ["hashkv", bolt, "-w", "json"], want),
    await must(ourUtl, ["hashkv", bolt, "-w", "json"], got),
  );
}

/** Commands on a data directory of ours print what those on etcd's print. */
async function compareOurDirectory(report: Report, folder: string): Promise<void> {
  const got = join(folder, "got");
  const [dir, missing] = ["restored0", "none"];
  const hash = await must(ourUtl, ["hashkv", dir], got);
  const steps: readonly (readonly [string[], string])[] = [
    [["defrag", "--data-dir", dir], ""],
    [["migrate", "--data-dir", dir, "--target-version", "3.6"], ""],
    [["migrate", "--data-dir", dir, "--target-version", "3.7"], ""],
    [["hashkv", dir], hash],
  ];
  for (const [args, wanted] of steps) {
    report.compare(`ours: ${args.join(" ")}`, wanted, await must(ourUtl, args, got));
  }
  const refused = await run(ourUtl, ["verify", "--data-dir", missing], got);
  const error = `Error: stat ${missing}/member/format: no such file or directory\n`;
  report.compare("verify of nothing", error, refused.stderr);
}

async function checkOurs(report: Report, folder: string): Promise<void> {
  for (const [line, error] of ourLines) {
    resetFiles(folder);
    const { code, stderr } = await run(ourUtl, argsOf(line), join(folder, "got"));
    const isAsWanted = code === 1 && stderr.includes(error) && !stderr.includes("    at ");
    if (isAsWanted) report.pass();
    else report.fail(`etcdutl ${line}`, `exit ${code}\n${stderr}`);
  }
}

export async function compareUtl(report: Report, programs: Programs): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "quorate-utl-"));
  try {
    const origin = join(folder, "origin");
    mkdirSync(origin);
    await makeFiles(programs, origin);
    for (const side of ["want", "got"]) cpSync(origin, join(folder, side), { recursive: true });
    await compareLines(report, programs, folder);
    await compareRestores(report, programs, folder);
    await compareOurDirectory(report, folder);
    await checkOurs(report, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
