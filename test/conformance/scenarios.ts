// Runs the Go scenarios against both servers and compares what they print, scenario by scenario.
import type { Programs } from "./build.ts";
import { runCommand } from "./command.ts";
import type { Report } from "./report.ts";
import type { Server } from "./servers.ts";

const timeoutMs = 5 * 60_000;

/** Lines of each scenario, by its name. A line starts with the scenario's name and a blank. */
function byScenario(output: string): Map<string, string> {
  const lines = new Map<string, string>();
  for (const line of output.split("\n")) {
    const name = line.slice(0, line.indexOf(" "));
    if (name !== "") lines.set(name, `${lines.get(name) ?? ""}${line}\n`);
  }
  return lines;
}

export async function compareScenarios(
  report: Report,
  programs: Programs,
  pair: { readonly want: Server; readonly got: Server },
): Promise<void> {
  const [want, got] = await Promise.all(
    [pair.want, pair.got].map((server) =>
      runCommand(programs.scenarios, ["--endpoint", server.endpoint], { timeoutMs }),
    ),
  );
  if (want?.code !== 0) report.fail("scenarios against Go etcd", want?.stderr ?? "");
  if (got?.code !== 0) report.fail("scenarios against Quorate", got?.stderr ?? "");
  const wanted = byScenario(want?.stdout ?? "");
  const gotten = byScenario(got?.stdout ?? "");
  for (const [name, text] of wanted) {
    report.compare(`scenario ${name}`, text, gotten.get(name) ?? "");
  }
}
