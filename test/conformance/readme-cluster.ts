// The three commands of README's cluster, as they stand there: etcdctl finds it healthy, and any
// member may be killed without loss.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Programs } from "./build.ts";
import { runCommand } from "./command.ts";
import { until } from "./mixed-cluster.ts";
import type { Report } from "./report.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const heading = "## A cluster of three";

interface Started {
  readonly command: string;
  readonly endpoint: string;
  child: ChildProcess;
}

/** The lines of the first block behind the heading. */
function commandsOf(readme: string): string[] {
  const section = readme.slice(readme.indexOf(heading));
  const block = /```sh\n(.*?)```/s.exec(section)?.[1] ?? "";
  return block.trim().split("\n");
}

function start(command: string, folder: string): ChildProcess {
  const [program = "", ...args] = command.split(" ");
  return spawn(join(root, program), args, { cwd: folder, stdio: "ignore" });
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function healthy(programs: Programs, members: readonly Started[]): Promise<void> {
  const endpoints = members.map(({ endpoint }) => endpoint).join();
  await until(`${endpoints} to be healthy`, async () => {
    const args = ["--endpoints", endpoints, "endpoint", "health"];
    return (await runCommand(programs.etcdctl, args)).code === 0 ? true : null;
  });
}

async function ctl(programs: Programs, endpoint: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await runCommand(programs.etcdctl, ["--endpoints", endpoint, ...args]);
  return stdout + stderr;
}

/** Kills each member in turn, with a write before and one while it is gone. */
async function killEach(
  report: Report,
  programs: Programs,
  members: readonly Started[],
  folder: string,
): Promise<void> {
  for (const [i, member] of members.entries()) {
    const others = members.filter((other) => other !== member);
    await ctl(programs, member.endpoint, "put", `before-${String(i)}`, "1");
    await kill(member.child);
    await healthy(programs, others);
    const away = await ctl(programs, others[0]!.endpoint, "put", `away-${String(i)}`, "1");
    report.compare(`README: a write without ${member.endpoint}`, "OK\n", away);
    member.child = start(member.command, folder);
    await healthy(programs, members);
    for (const { endpoint } of members) {
      const found = await ctl(programs, endpoint, "get", "--prefix", "", "--keys-only");
      const keys = found.split("\n").filter((line) => line !== "");
      report.compare(`README: keys on ${endpoint}`, String(2 * (i + 1)), String(keys.length));
    }
  }
}

export async function checkReadme(report: Report, programs: Programs): Promise<void> {
  const commands = commandsOf(readFileSync(join(root, "README.md"), "utf8"));
  report.compare("README: commands of a cluster", "3", String(commands.length));
  const folder = mkdtempSync(join(tmpdir(), "quorate-readme-"));
  const members: Started[] = commands.map((command) => ({
    command,
    endpoint: /--advertise-client-urls http:\/\/(\S+)/.exec(command)?.[1] ?? "",
    child: start(command, folder),
  }));
  try {
    await healthy(programs, members);
    await killEach(report, programs, members, folder);
  } finally {
    for (const { child } of members) await kill(child);
    rmSync(folder, { recursive: true, force: true });
  }
}
