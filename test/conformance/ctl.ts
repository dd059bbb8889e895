// Our etcdctl beside etcdctl 3.7.1: the same commands in the same order, each on a server of its
// own of the same kind; standard output, error text and exit code compared as text.
//
// CTLC1  Blanked is what CTL1 of etcdctl.ts says, ids of sessions in keys, and prose of help that
//        is our own (docs/divergence.md).
import { fileURLToPath } from "node:url";

import type { Programs } from "./build.ts";
import { runCommand } from "./command.ts";
import { commonCases, goOnlyCases, lineCases } from "./ctl-cases.ts";
import { ctlCases } from "./etcdctl-cases.ts";
import { compareCases, newSide } from "./etcdctl.ts";
import type { Report } from "./report.ts";
import { quorateProgram, startServer, type Server } from "./servers.ts";

const ourProgram = fileURLToPath(new URL("../../bin/etcdctl", import.meta.url));

/** Descriptions and examples are our own words; what is around them is the same. */
function withoutProse(text: string): string {
  const usage = text.indexOf("Usage:");
  const rest = usage === -1 ? text : text.slice(usage);
  return rest.replace(/\n\nExamples:\n[\s\S]*?\n\n(?=Available Commands:|Flags:)/, "\n\n");
}

async function compareLines(report: Report, programs: Programs): Promise<void> {
  for (const { args } of lineCases) {
    const [want, got] = await Promise.all(
      [programs.etcdctl, ourProgram].map((program) => runCommand(program, args)),
    );
    const text = (result: typeof want): string =>
      [withoutProse(result!.stdout), withoutProse(result!.stderr), result!.code].join("\n--\n");
    report.compare(`ctl ${args.join(" ")}`, text(want), text(got));
  }
}

/** Two servers of one kind, so that both etcdctl change the same state in the same order. */
async function withTwins(program: string, use: (twins: [Server, Server]) => Promise<void>) {
  const flags = ["--log-level", "error"];
  const first = await startServer({ label: "ctl-want", program, flags });
  try {
    const second = await startServer({ label: "ctl-got", program, flags });
    try {
      await use([first, second]);
    } finally {
      await second.close();
    }
  } finally {
    await first.close();
  }
}

export async function compareCtl(report: Report, programs: Programs): Promise<void> {
  await compareLines(report, programs);
  for (const [label, server, cases] of [
    ["ctl on Quorate:", quorateProgram, [...ctlCases, ...commonCases]],
    // First those of ctlCases: later the random ids of sessions are part of the hash.
    ["ctl on Go etcd:", programs.etcd, [...ctlCases, ...commonCases, ...goOnlyCases]],
  ] as const) {
    await withTwins(server, async ([first, second]) => {
      const want = newSide(programs.etcdctl, first);
      const got = newSide(ourProgram, second);
      await compareCases(report, label, { want, got }, cases);
    });
  }
}
