#!/usr/bin/env node
/**
 * `quorate`: chooses the subcommand. Only node: modules are imported before the version check: an
 * older Node may fail to load the rest.
 */
interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
}

// Importing node:fs would load its promises and more as well, which short commands do not need.
const { readFileSync } = process.getBuiltinModule?.("node:fs") ?? (await import("node:fs"));

const manifest = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
) as Manifest;

/** The server starts when the first argument is none of these. */
const later = new Set(["operator", "console", "gateway", "grpc-proxy"]);

const isQuestion = /^--?(?:version|help|h)$/;

function isNodeTooOld(): boolean {
  const wanted = manifest.engines.node.replace(/^>=/, "").split(".").map(Number);
  const have = process.versions.node.split(".").map(Number);
  const at = wanted.findIndex((part, i) => part !== have[i]);
  return at !== -1 && (have[at] ?? 0) < (wanted[at] ?? 0);
}

function refuse(message: string, code: number): void {
  process.stderr.write(`quorate: ${message}\n`);
  process.exitCode = code;
}

/**
 * Keeps the compiled code of short commands for the next one: most of their time goes into loading
 * them. In a folder of the user's own, as another user's code must never be found there.
 */
function keepCompiledCode(): void {
  const { HOME = "", XDG_CACHE_HOME = "", NODE_COMPILE_CACHE = "" } = process.env;
  const cache = XDG_CACHE_HOME || (HOME && `${HOME}/.cache`);
  if (cache === "" || NODE_COMPILE_CACHE !== "") return;
  process.getBuiltinModule("node:module").enableCompileCache(`${cache}/quorate/compiled`);
}

async function main(args: readonly string[]): Promise<void> {
  if (isNodeTooOld()) {
    refuse(`Node ${process.versions.node} is too old, wanted ${manifest.engines.node}`, 1);
    return;
  }
  const [first = "", ...rest] = args;
  const isShort = /^(?:etcd)?(?:ctl|utl)$/.test(first);
  if (isShort) keepCompiledCode();
  // bin/etcdctl and bin/etcdutl are the same programs under names that their help then says.
  if (first === "ctl" || first === "etcdctl") {
    const { ctlMain } = await import("./ctl/main.ts");
    await ctlMain(first === "ctl" ? "quorate ctl" : first, rest);
    return;
  }
  if (first === "utl" || first === "etcdutl") {
    const { utlMain } = await import("./utl/main.ts");
    await utlMain(first === "utl" ? "quorate utl" : first, rest);
    return;
  }
  if (later.has(first)) {
    refuse(`the subcommand "${first}" is not part of version ${manifest.version}`, 1);
    return;
  }
  if (first !== "" && first !== "server" && !first.startsWith("-")) {
    refuse(`unknown subcommand "${first}", wanted "server" or a flag`, 1);
    return;
  }
  // Before the rest is loaded: what replaces itself needs no modules.
  if (!args.some((arg) => isQuestion.test(arg))) {
    const { relaunchWithHeap } = await import("./io/node-memory.ts");
    relaunchWithHeap();
  }
  const { serverMain } = await import("./server/main.ts");
  await serverMain(first === "server" ? rest : args, manifest.version, async () => {
    const { startServer } = await import("./server/server.ts");
    return startServer;
  });
}

await main(process.argv.slice(2));
