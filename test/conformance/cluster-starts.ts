// Members that must not start, or must not disturb the cluster they are told of.
import { rmSync } from "node:fs";
import { join } from "node:path";

import type { ClusterMember } from "../e2e/cluster.ts";
import { methods } from "../server/client.ts";
import type { Transcript } from "./cluster-answers.ts";
import { runCommand } from "./command.ts";

/** A start that does not fail goes on until then. */
const startTimeoutMs = 4_000;

interface Start {
  readonly name: string;
  readonly initialCluster: string;
  readonly state: "new" | "existing";
  readonly token?: string;
  readonly dataDir?: string;
}

/** The reason in the last fatal or error line of the log, or how it went on. */
function outcomeOf(log: string, code: number): string {
  const lines = log.split("\n").filter((line) => /"level":"(fatal|error|panic)"/.test(line));
  const last = lines.at(-1);
  const fields = last === undefined ? {} : (JSON.parse(last) as Record<string, string>);
  const reason = fields["error"] ?? fields["msg"] ?? "no reason";
  // Members are printed in the order of a map.
  return `exit code ${String(code)}, ${reason.replaceAll(/\{ClusterID.*\}/g, "{…}")}`;
}

/** Starts one more process with the ports of a member that stands still, or spare ones. */
async function tryStart(member: ClusterMember, start: Start): Promise<string> {
  const dataDir = start.dataDir ?? join(member.folder, "other");
  const client = `http://${member.endpoint}`;
  const args = ["--name", start.name, "--data-dir", dataDir];
  args.push("--listen-client-urls", client, "--advertise-client-urls", client);
  args.push("--listen-peer-urls", member.peerUrl, "--initial-advertise-peer-urls", member.peerUrl);
  args.push("--initial-cluster", start.initialCluster, "--initial-cluster-state", start.state);
  args.push("--initial-cluster-token", start.token ?? "quorate-e2e");
  const { stdout, stderr, code } = await runCommand(member.program, args, {
    timeoutMs: startTimeoutMs,
  });
  rmSync(join(member.folder, "other"), { recursive: true, force: true });
  return outcomeOf(stdout + stderr, code);
}

/** The third member stands still meanwhile, so that its address is free. */
export async function startFailures(t: Transcript): Promise<void> {
  const { mixed } = t;
  const [first, , third] = mixed.members as [ClusterMember, ClusterMember, ClusterMember];
  await mixed.moveLeader(first);
  await third.end("SIGTERM");
  const all = mixed.cluster.initialCluster();
  const [one = "", , three = ""] = all.split(",");
  const { name } = third;
  const starts: [what: string, start: Start][] = [
    ["wiped, as new", { name, initialCluster: all, state: "new" }],
    [
      "one member too many",
      { name, initialCluster: `${all},x=http://127.0.0.1:1`, state: "existing" },
    ],
    ["one member too few", { name, initialCluster: `${one},${three}`, state: "existing" }],
    [
      "another URL",
      { name, initialCluster: `${one},m2=http://127.0.0.1:1,${three}`, state: "existing" },
    ],
    [
      "a name twice",
      { name, initialCluster: `${one},${three},${name}=http://127.0.0.1:1`, state: "new" },
    ],
    ["a URL twice", { name, initialCluster: `${all},x=${three.slice(3)}`, state: "new" }],
    ["not in its cluster", { name: "x", initialCluster: all, state: "new" }],
    ["another cluster id", { name, initialCluster: all, state: "new", token: "another" }],
  ];
  for (const [what, start] of starts) t.note(`start: ${what}`, await tryStart(third, start));
  const foreign = /cluster ID mismatch|cluster ID mis-match/.test(first.log());
  t.note("start: another cluster id is logged", String(foreign));
  third.spawn();
  await third.ready();
  mixed.dropClient(third);
  const { members } = await mixed.client(third).must(methods.memberList, { linearizable: true });
  const names = members.map((member) => member.name).sort();
  t.note("start: the member is back", names.join());
}
