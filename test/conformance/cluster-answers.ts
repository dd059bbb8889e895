// What is visible of a cluster of three: the same steps on Go etcd and then on Quorate, with the
// same ports, so that members and cluster have the same ids. The transcripts are compared.
//
// CA1  Blanked: times, sizes, raft positions, ids of members added meanwhile. Nothing else.
// CA2  Every step ends with the cluster as it found it, up to the ids it has spent.
import { freePort } from "./servers.ts";
import { blankOutput } from "./etcdctl.ts";
import { runCommand } from "./command.ts";
import { methods } from "../server/client.ts";
import type { Programs } from "./build.ts";
import type { Report } from "./report.ts";
import { startFailures } from "./cluster-starts.ts";
import { learnerSteps, lostQuorumSteps, memberSteps } from "./cluster-steps.ts";
import { MixedCluster, until, type Ports } from "./mixed-cluster.ts";

const membersMax = 6;
const ctlTimeoutMs = 30_000;

/** Where steps note what they saw. */
export class Transcript {
  readonly mixed: MixedCluster;
  readonly programs: Programs;
  readonly entries: [name: string, text: string][] = [];
  /** Ids of members added meanwhile. */
  readonly added: bigint[] = [];

  constructor(mixed: MixedCluster, programs: Programs) {
    this.mixed = mixed;
    this.programs = programs;
  }

  note(name: string, text: string): void {
    let out = text;
    this.added.forEach((id, i) => {
      out = out.replaceAll(id.toString(16), `<added ${String(i)}>`);
      out = out.replaceAll(String(id), `<added ${String(i)}>`);
    });
    this.entries.push([name, out]);
  }

  /** etcdctl with these endpoints, by default all. */
  async ctl(line: string, endpoints = this.mixed.cluster.endpoints): Promise<void> {
    const args = ["--endpoints", endpoints.join(), ...line.split(" ")];
    const result = await runCommand(this.programs.etcdctl, args, { timeoutMs: ctlTimeoutMs });
    const text = blankOutput(result);
    // Answers of several endpoints come in any order.
    const isSorted = line.startsWith("endpoint health");
    this.note(`etcdctl ${line}`, isSorted ? text.split("\n").sort().join("\n") : text);
  }
}

/** A new cluster of Go etcd agrees on its storage version some seconds after it serves. */
async function settled({ mixed }: Transcript): Promise<void> {
  for (const member of mixed.members) {
    await until(`the storage version of ${member.name}`, async () => {
      const { storageVersion } = await mixed.client(member).must(methods.status, {});
      return storageVersion === "3.7.0" ? true : null;
    });
  }
}

async function outputs(t: Transcript): Promise<void> {
  await settled(t);
  const [first, second, third] = t.mixed.members;
  for (const format of ["simple", "json", "fields", "table"]) {
    await t.ctl(`member list -w ${format}`, [second!.endpoint]);
    await t.ctl(`endpoint status -w ${format}`);
    if (format !== "json") await t.ctl(`endpoint health -w ${format}`);
    await t.ctl(`endpoint hashkv -w ${format}`);
    await t.ctl(`endpoint status --cluster -w ${format}`, [third!.endpoint]);
  }
  const target = (await t.mixed.idOf(second!)).toString(16);
  await t.ctl(`move-leader ${target}`, [second!.endpoint, third!.endpoint]);
  await t.ctl("move-leader 1");
  await t.ctl(`move-leader ${(await t.mixed.idOf(first!)).toString(16)}`);
  await t.ctl(`move-leader ${target}`);
  await t.mixed.moveLeader(first!);
}

async function transcript(
  programs: Programs,
  kinds: string,
  ports: readonly Ports[],
): Promise<[string, string][]> {
  const entries: [string, string][] = [];
  await MixedCluster.run(programs, { kinds, ports, name: "m" }, async (mixed) => {
    const t = new Transcript(mixed, programs);
    const steps = [outputs, memberSteps, learnerSteps, startFailures, lostQuorumSteps];
    for (const step of steps) {
      try {
        await step(t);
      } catch (error) {
        t.note(`${step.name} ends`, String(error));
      }
    }
    entries.push(...t.entries);
  });
  return entries;
}

/** For three members and those that join, each port once. */
async function somePorts(): Promise<Ports[]> {
  const found = new Set<number>();
  while (found.size < 2 * membersMax) found.add(await freePort());
  const list = [...found];
  return Array.from({ length: membersMax }, (_, i) => {
    return { client: list[2 * i]!, peer: list[2 * i + 1]! };
  });
}

export async function compareClusters(report: Report, programs: Programs): Promise<void> {
  const ports = await somePorts();
  const want = await transcript(programs, "ggg", ports);
  const got = await transcript(programs, "qqq", ports);
  report.compare(
    "steps of a cluster of three",
    want.map(([name]) => name).join("\n"),
    got.map(([name]) => name).join("\n"),
  );
  want.forEach(([name, text], i) => {
    report.compare(`cluster: ${name}`, text, got[i]?.[1] ?? "(nothing)");
  });
}
