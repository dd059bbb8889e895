/**
 * Who may import whom. A file belongs to the longest matching
 * prefix; its own layer is always allowed; tests may import anything of src.
 */
import type { Source } from "./tidy-source.ts";
import { isTest } from "./tidy-source.ts";

const base = "src/base/";
const gen = "src/gen/";
const codec = "src/codec/";
const http2 = "src/http2/";
const raft = "src/raft/";
const server = (name: string): string => `src/server/${name}/`;
/** Types between modules. */
const contract = "src/server/mvcc/types.ts";
/** The member's core as the calls see it: propose, wait, read. */
const node = ["src/server/node.ts", "src/server/proposals.ts", "src/server/read-gate.ts"];
const rows = [base, gen, codec, server("backend")];
const state = [...rows, server("mvcc"), server("lease"), server("auth"), server("member")];

const allowed: Readonly<Record<string, readonly string[]>> = {
  [base]: [],
  [codec]: [base],
  [http2]: [base],
  [raft]: [base],
  "src/bbolt/": [base],
  // Adapters see the port they implement: the core's ports, and nothing that decides.
  "src/io/": [base],
  [server("backend")]: [base, codec],
  [server("wal")]: [base, gen, codec, raft],
  [server("snap")]: [base, gen, codec, raft],
  [server("mvcc")]: rows,
  [server("lease")]: [...rows, contract],
  [server("auth")]: rows,
  [server("member")]: rows,
  [server("metrics")]: [base, server("backend")],
  [server("apply")]: [...state, raft, server("metrics")],
  [server("http")]: [base, http2, server("metrics")],
  [server("rpc")]: [
    ...node,
    ...state,
    raft,
    http2,
    server("apply"),
    server("http"),
    server("metrics"),
  ],
  // The composition root and the configuration; only what `doors` names meets src/io.
  "src/server/": [...state, raft, http2, "src/server/"],
  "src/main.ts": ["src/base/", "src/server/", "src/io/"],
  "tools/": ["src/"],
  "bench/": ["src/", "test/", "tools/"],
  "test/": ["src/", "tools/", "bench/"],
  "eslint.config.js": [],
};

/** Files of src/server that connect the core with src/io and the process. */
const doors = ["main", "server", "member-dir", "client-port"].map((f) => `src/server/${f}.ts`);

/** Files of src that may name `node:` modules: where the process meets the world. */
const nodeAllowed = [
  "src/io/",
  "src/main.ts",
  ...doors,
  "src/server/rpc/",
  "src/server/peer/",
  "src/server/tls/",
  "src/server/http/",
  "src/server/backend/lmdb",
];

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
      if (target.startsWith("node:") && !isDoor) {
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
