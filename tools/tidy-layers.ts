/**
 * Who may import whom; docs/architecture.md says it in words. A file belongs to the longest
 * matching prefix; its own layer is always allowed; tests may import anything of src.
 */
import type { Source } from "./tidy-source.ts";
import { isTest } from "./tidy-source.ts";

const base = "src/base/";
const codec = "src/codec/";
const http2 = "src/http2/";
const raft = "src/raft/";
const bbolt = "src/bbolt/";
const server = (name: string): string => `src/server/${name}/`;
/** Types between modules. */
const contract = "src/server/mvcc/types.ts";
/** The member's core as the calls see it: propose, wait, read. */
const node = ["src/server/node.ts", "src/server/proposals.ts", "src/server/read-gate.ts"];
const rows = [base, codec, server("backend")];
const state = [...rows, server("mvcc"), server("lease"), server("member")];

const allowed: Readonly<Record<string, readonly string[]>> = {
  [base]: [],
  [codec]: [base],
  [http2]: [base],
  [raft]: [base],
  [bbolt]: [base],
  "src/gen/": [],
  // Adapters see the port they implement, and nothing that decides.
  "src/io/": [base],
  [server("config")]: [base],
  [server("backend")]: [base, bbolt],
  [server("wal")]: [base, raft],
  [server("mvcc")]: rows,
  [server("lease")]: [...rows, contract],
  [server("member")]: [
    ...rows,
    "src/server/config/urls.ts",
    "src/server/peer/peer-port.ts",
    "src/server/peer/plain-reply.ts",
  ],
  [server("metrics")]: [base, server("backend")],
  // What a snapshot says about itself: types of raft, rows as the state reads them.
  [server("snapshot")]: [
    base,
    bbolt,
    raft,
    server("backend"),
    server("member"),
    "src/server/state.ts",
  ],
  [server("apply")]: state,
  [server("peer")]: [base, codec, raft],
  [server("http")]: [base, http2, server("metrics")],
  [server("rpc")]: [...node, ...state, http2, server("apply"), server("snapshot")],
  // The member's core and the composition root; only what `doors` names meets src/io.
  "src/server/": [base, bbolt, codec, http2, raft, "src/server/"],
  // The client stands by itself; the command lines stand on it, or on the files of a member.
  "src/client/": [base, codec],
  "src/cli/": [base],
  "src/ctl/": [base, codec, "src/cli/", "src/client/", bbolt, "src/http2/huffman.ts"],
  "src/utl/": [base, codec, "src/cli/", bbolt, raft, "src/server/", "src/io/"],
  "src/main.ts": ["src/base/", "src/server/", "src/io/", "src/ctl/", "src/utl/"],
  "examples/": ["src/"],
  "tools/": ["src/"],
  "bench/": ["src/", "test/", "tools/"],
  "test/": ["src/", "tools/", "bench/"],
  "eslint.config.js": [],
};

/** Files of src/server that connect the core with src/io and the process. */
const doors = ["src/server/main.ts", "src/server/server.ts", "src/server/open-backend.ts"];

/** Files of src that may name `node:` modules: where the process meets the world. */
const nodeAllowed = [
  "src/io/",
  "src/main.ts",
  ...doors,
  "src/server/client-port.ts",
  "src/server/rpc/",
  "src/client/",
  "src/cli/",
  "src/ctl/",
  "src/utl/",
  "src/server/peer/dialer",
  "src/server/peer/listener",
  "src/server/backend/lmdb",
];

/** Packages, each behind the files that know it. Nothing else of src imports one. */
const packageUsers: Readonly<Record<string, string>> = {
  "@grpc/grpc-js": "src/client/",
  lmdb: "src/server/backend/lmdb",
  pino: "src/io/node-log",
  yaml: "src/server/config/config-file",
  "@bufbuild/protobuf": "src/gen/",
};

function layerOf(path: string): string | undefined {
  return Object.keys(allowed)
    .filter((prefix) => path.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0];
}

export function checkLayers(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => layerProblems(source));
}

function layerProblems(source: Source): string[] {
  const layer = layerOf(source.path);
  if (layer === undefined) return [`${source.path}: belongs to no layer of tools/tidy-layers.ts`];
  const problems: string[] = [];
  for (const { target, isLocal } of source.imports) {
    if (!isLocal) {
      const isFree = !source.path.startsWith("src/") || isTest(source.path);
      const isDoor = isFree || nodeAllowed.some((prefix) => source.path.startsWith(prefix));
      if (!target.startsWith("node:")) {
        if (!isFree && !mayUsePackage(source.path, target)) {
          problems.push(`${source.path}: imports the package ${target}`);
        }
      } else if (!isDoor) {
        problems.push(`${source.path}: imports ${target}; use a port of src/base/ports.ts`);
      }
      continue;
    }
    if (!mayImport(source.path, layer, target)) {
      problems.push(`${source.path}: layer ${layer} must not import ${target}`);
    }
  }
  return problems;
}

function mayUsePackage(path: string, target: string): boolean {
  const users = packageUsers[target];
  return users !== undefined && path.startsWith(users);
}

function mayImport(path: string, layer: string, target: string): boolean {
  const to = layerOf(target) ?? target;
  if (to === layer || target.startsWith(layer)) return true;
  if (isTest(path)) return true;
  if (to === "src/io/" && doors.includes(path)) return true;
  const targets = allowed[layer] ?? [];
  return targets.some((prefix) => target.startsWith(prefix));
}

/** Cycles over imports that exist at run time; types alone may refer to each other. */
export function checkCycles(sources: readonly Source[]): string[] {
  const edges = new Map(
    sources.map((s) => [
      s.path,
      s.imports.filter((i) => i.isLocal && !i.isTypeOnly).map((i) => i.target),
    ]),
  );
  const done = new Set<string>();
  const problems: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at !== -1) {
      problems.push(`import cycle: ${[...trail.slice(at), path].join(" -> ")}`);
      return;
    }
    if (done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return problems;
}
