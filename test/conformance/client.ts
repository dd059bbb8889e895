// Runs the client's suite (test/client/suite) against Go etcd: one and three members.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import type { Programs } from "./build.ts";
import { runCommand } from "./command.ts";
import type { Report } from "./report.ts";

const suiteFolder = fileURLToPath(new URL("../client/suite/", import.meta.url));
const fileTimeoutMs = 180_000;

export async function clientAgainstGo(report: Report, programs: Programs): Promise<void> {
  const files = readdirSync(suiteFolder).filter((name) => name.endsWith(".test.ts"));
  for (const members of [1, 3]) {
    for (const file of files) {
      const result = await runCommand(process.execPath, ["--test", `${suiteFolder}${file}`], {
        timeoutMs: fileTimeoutMs,
        env: { CLIENT_SUITE_PROGRAM: programs.etcd, CLIENT_SUITE_MEMBERS: String(members) },
      });
      const name = `client suite ${file} against etcd with ${members} members`;
      if (result.code === 0) report.pass();
      else report.fail(name, failuresOf(result.stdout + result.stderr));
    }
  }
}

/** What the test runner says behind its list of all tests. */
function failuresOf(output: string): string {
  const at = output.indexOf("failing tests:");
  return at === -1 ? output.slice(-6_000) : output.slice(at);
}
