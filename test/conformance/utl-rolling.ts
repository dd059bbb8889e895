// A cluster of three Go etcd members becomes one of Quorate while it serves: one member after the
// other is killed, its directory imported, and Quorate started on it; one of them goes back. Each
// comes again as the member it was, behind by what the others wrote meanwhile.
import { renameSync } from "node:fs";

import type { ClusterMember } from "../e2e/cluster.ts";
import type { Programs } from "./build.ts";
import { runCommand } from "./command.ts";
import { MixedCluster } from "./mixed-cluster.ts";
import type { Report } from "./report.ts";
import { quorateProgram } from "./servers.ts";
import { ourUtl } from "./utl.ts";

const putsPerStep = 30;

async function write(mixed: MixedCluster, name: string): Promise<void> {
  const leader = await mixed.leader();
  for (let i = 0; i < putsPerStep; i++) await mixed.put(leader, `key-${String(i)}`, name);
}

/** Kills the member and starts the other program on what was made of its directory. */
async function change(mixed: MixedCluster, member: ClusterMember, program: string): Promise<void> {
  const made = `${member.dataDir}-made`;
  const args =
    program === quorateProgram
      ? ["import-etcd", "--from", member.dataDir, "--data-dir", made]
      : ["export-etcd", "--data-dir", member.dataDir, "--to", made];
  await member.end("SIGKILL");
  mixed.dropClient(member);
  await write(mixed, `without ${member.name}`);
  const { code, stderr } = await runCommand(ourUtl, args);
  if (code !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
  member.wipe();
  renameSync(made, member.dataDir);
  member.program = program;
  await member.start();
}

export async function rollingTrip(report: Report, programs: Programs): Promise<void> {
  await MixedCluster.run(programs, { kinds: "ggg" }, async (mixed) => {
    await write(mixed, "before");
    const ids = await Promise.all(mixed.members.map((member) => mixed.idOf(member)));
    for (const member of mixed.members) {
      await change(mixed, member, quorateProgram);
      await mixed.compareHashes(report, `${member.name} imported`);
    }
    const again = await Promise.all(mixed.members.map((member) => mixed.idOf(member)));
    report.compare("the members' ids", ids.join(), again.join());
    const back = mixed.members[1]!;
    await change(mixed, back, programs.etcd);
    await write(mixed, "after");
    await mixed.compareHashes(report, `${back.name} exported`);
    await mixed.moveLeader(back);
    await mixed.put(back, "led-by", back.name);
    await mixed.compareHashes(report, `${back.name} leads`);
  });
}
