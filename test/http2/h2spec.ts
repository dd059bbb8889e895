/**
 * The HTTP/2 conformance tests of h2spec against our transport, plain and over TLS. Needs Go for
 * the first build. As a program: `node test/http2/h2spec.ts`; exit code 1 when a test fails.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createEchoServer } from "./echo-server.ts";
import { makeCertificate } from "./self-signed.ts";

export interface H2specResult {
  readonly passed: number;
  readonly failed: number;
  /** What h2spec printed of the failures. */
  readonly report: string;
}

const moduleFolder = join(import.meta.dirname, "h2spec");
const tool = "github.com/summerwind/h2spec/cmd/h2spec";

function run(
  file: string,
  args: readonly string[],
  folder: string,
): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const options = { cwd: folder, maxBuffer: 64 * 1024 * 1024 };
    execFile(file, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, output: stdout + stderr });
    });
  });
}

/** The built program, from the cache folder when its module files did not change. */
async function buildH2spec(): Promise<string> {
  const cache = process.env["QUORATE_CACHE"] ?? join(homedir(), ".cache", "quorate");
  const hash = createHash("sha256");
  for (const name of ["go.mod", "go.sum"]) hash.update(readFileSync(join(moduleFolder, name)));
  const file = join(cache, `h2spec-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(file)) return file;
  mkdirSync(cache, { recursive: true });
  const built = await run("go", ["build", "-trimpath", "-o", file, tool], moduleFolder);
  if (built.code !== 0) throw new Error(`cannot build h2spec:\n${built.output}`);
  return file;
}

async function runOnce(program: string, isTls: boolean): Promise<H2specResult> {
  // A bound on streams, so that the test of exceeding it is not skipped.
  const limits = { streamsMax: 100 };
  const server = createEchoServer(
    isTls ? { limits, tls: makeCertificate("localhost") } : { limits },
  );
  const scheme = isTls ? "https" : "http";
  const port = await new Promise<number>((resolve, reject) => {
    server.listen(`${scheme}://127.0.0.1:0`, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  const tlsFlags = isTls ? ["-t", "-k"] : [];
  const flags = ["-h", "127.0.0.1", "-p", String(port), "-o", "2", ...tlsFlags];
  const { output } = await run(program, flags, moduleFolder);
  await new Promise<void>((resolve) => {
    server.close(100, resolve);
  });
  const counts = /(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/.exec(output);
  if (counts === null) return { passed: 0, failed: 1, report: output };
  // A skipped test proves nothing: it counts as failed.
  const failed = Number(counts[3]) + Number(counts[4]);
  const failures = output.indexOf("Failures:");
  return {
    passed: Number(counts[2]),
    failed,
    report: failures < 0 ? counts[0] : output.slice(failures),
  };
}

/** All tests, plain and then over TLS. */
export async function runH2spec(): Promise<H2specResult> {
  const program = await buildH2spec();
  const plain = await runOnce(program, false);
  const tls = await runOnce(program, true);
  return {
    passed: plain.passed + tls.passed,
    failed: plain.failed + tls.failed,
    report: `plain: ${plain.report}\ntls: ${tls.report}`,
  };
}

if (import.meta.filename === process.argv[1]) {
  const result = await runH2spec();
  process.stdout.write(`${result.report}\n${result.passed} passed, ${result.failed} failed\n`);
  process.exitCode = result.failed === 0 ? 0 : 1;
}
