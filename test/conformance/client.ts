// Runs the client's suite (test/client/suite) against Go etcd, one and three members, and the
// examples with Go etcd as the other side of the mirror.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import type { Programs } from "./build.ts";
import { runCommand } from "./command.ts";
import type { Report } from "./report.ts";

const examples = fileURLToPath(new URL("../examples/examples.test.ts", import.meta.url));
const suiteFolder = fileURLToPath(new URL("../client/suite/", import.meta.url));
const fileTimeoutMs = 180_000;

export async function clientAgainstGo(report: Report, programs: Programs): Promise<void> {
  const files = readdirSync(suiteFolder).filter((name) => name.endsWith(".test.ts"));
  const run = async (name: string, path: string, members: number): Promise<void> => {
    const result = await runCommand(process.execPath, ["--test", path], {
      timeoutMs: fileTimeoutMs,
      env: { CLIENT_SUITE_PROGRAM: programs.etcd, CLIENT_SUITE_MEMBERS: String(members) },
    });
    if (result.code === 0) report.pass();
    else report.fail(name, failuresOf(result.stdout + result.stderr));
  };
  for (const members of [1, 3]) {
    for (const file of files) {
      const name = `client suite ${file} against etcd with ${members} members`;
      await run(name, `${suiteFolder}${file}`, members);
    }
  }
  await run("examples with etcd", examples, 1);
}

/** What the test runner says behind its list of all tests. */
function failuresOf(output: string): string {
  const at = output.indexOf("failing tests:");
  return at === -1 ? output.slice(-6_000) : output.slice(at);
}
