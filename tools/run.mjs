// Runs the project's own Node on the given arguments: `node tools/run.mjs <file or flags> [args]`.
// Plain JavaScript for any Node >= 20, because it is what brings the newer one.
//
// RUN1  node_modules always belongs to the package-lock.json beside it: compared by hash, since
//       times change with every checkout.
// RUN2  Exit code, death by signal, and the signals asked of us are those of the started program.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants as osConstants } from "node:os";

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const stampFile = join(modules, ".package-lock-sha256");

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function lockHash() {
  return createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
}

function stamp() {
  try {
    return readFileSync(stampFile, "utf8").trim();
  } catch {
    return ""; // missing, or made by a plain npm command: both are installed anew (RUN1)
  }
}

/** npm of the calling script, if any; never the Node inside the folder npm is about to empty. */
function npmCi() {
  const args = ["ci", "--include=dev", "--include=optional", "--loglevel=error"];
  const { npm_execpath: npmCli, npm_node_execpath: npmNode, PATH = "" } = process.env;
  const path = PATH.split(delimiter).filter((entry) => !entry.startsWith(modules));
  const options = { cwd: root, stdio: ["ignore", "inherit", "inherit"] };
  options.env = { ...process.env, PATH: path.join(delimiter) };
  return npmCli?.endsWith(".js") && npmNode
    ? spawnSync(npmNode, [npmCli, ...args], options)
    : spawnSync("npm", args, options);
}

function install() {
  const wanted = lockHash();
  if (stamp() === wanted) return;
  process.stderr.write("Installing the dependencies of package-lock.json (npm ci)\n");
  const result = npmCi();
  if (result.error) fail(`Cannot run npm: ${result.error.message}`);
  if (result.status !== 0) fail(`npm ci failed with exit code ${result.status}`);
  writeFileSync(stampFile, `${wanted}\n`);
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isNewEnough(version, wanted) {
  const have = version.split(".").map(Number);
  const want = wanted.split(".").map(Number);
  const at = want.findIndex((part, i) => part !== have[i]);
  return at === -1 || have[at] > want[at];
}

function findNode() {
  const own = join(modules, `node-${process.platform}-${process.arch}`, "bin", "node");
  if (isExecutable(own)) return own;
  const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const wanted = engines.node.replace(/^>=/, "");
  if (isNewEnough(process.versions.node, wanted)) return process.execPath;
  return fail(
    `No Node package for ${process.platform}-${process.arch} is installed, and the Node in use ` +
      `(${process.versions.node}) is below ${wanted}. Install Node ${wanted} or newer.`,
  );
}

function run(node, args) {
  const child = spawn(node, args, { stdio: "inherit" });
  child.on("error", (error) => fail(`Cannot start ${node}: ${error.message}`));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"]) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal); // RUN2
    // Still here: the signal does not end this process. Say it the way a shell does.
    setTimeout(() => process.exit(128 + osConstants.signals[signal]), 1000);
  });
}

install();
run(findNode(), process.argv.slice(2));
