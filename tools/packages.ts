/**
 * Makes the two npm packages out of one tree: `quorate` (server, command line, client) and
 * `quorate-client` (the client alone). Both hold compiled JavaScript and types, no build step left.
 *
 * The client is compiled twice, as modules and as CommonJS: Node 20 cannot `require` a module.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;

/** What the client alone depends on. */
const clientDependencies = ["@grpc/grpc-js"];
/** The oldest Node that the client runs on; the server's line is that of package.json. */
const clientNode = ">=20.18.0";

/** Compiles `include` of src to `out`. */
function compile(out: string, include: readonly string[], options: Record<string, unknown>): void {
  const folder = mkdtempSync(join(root, "node_modules", ".packages-"));
  const config = join(folder, "tsconfig.json");
  const base = { outDir: out, declaration: true, rootDir: join(root, "src") };
  const settings = {
    extends: join(root, "tsconfig.build.json"),
    compilerOptions: { ...base, ...options },
    include: include.map((path) => join(root, "src", path)),
    exclude: ["**/*.test.ts", "**/testdata"].map((path) => join(root, "src", path)),
  };
  writeFileSync(config, JSON.stringify(settings));
  const tsc = join(root, "node_modules/typescript/lib/tsc.js");
  const result = spawnSync(process.execPath, [tsc, "-p", config], { stdio: "inherit" });
  rmSync(folder, { recursive: true });
  if (result.status !== 0) throw new Error(`tsc failed with exit code ${String(result.status)}`);
  rewriteDeclarations(out);
}

/** The compiler rewrites `./x.ts` to `./x.js` in programs but not in declarations. */
function rewriteDeclarations(folder: string): void {
  for (const name of globSync("**/*.d.ts", { cwd: folder })) {
    const file = join(folder, name);
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replaceAll(/((?:from |import\()"\.{1,2}\/[^"]*)\.ts"/g, '$1.js"'));
  }
}

function compileClient(folder: string): void {
  const include = ["client/index.ts"];
  compile(join(folder, "esm"), include, {});
  compile(join(folder, "cjs"), include, {
    module: "commonjs",
    moduleResolution: "bundler",
    verbatimModuleSyntax: false,
  });
  writeFileSync(join(folder, "cjs/package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
}

function clientEntry(prefix: string): Record<string, Record<string, string>> {
  const entry = (kind: string): Record<string, string> => ({
    types: `${prefix}/${kind}/client/index.d.ts`,
    default: `${prefix}/${kind}/client/index.js`,
  });
  return { import: entry("esm"), require: entry("cjs") };
}

function writeManifest(folder: string, own: Readonly<Record<string, unknown>>): void {
  const { version, license } = manifest;
  const all = { name: "", version, license, type: "module", ...own };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(all, null, 2)}\n`);
  for (const name of ["LICENSE", "CHANGELOG.md"]) cpSync(join(root, name), join(folder, name));
}

function stageClient(folder: string): void {
  mkdirSync(folder, { recursive: true });
  compileClient(folder);
  const dependencies = Object.fromEntries(
    clientDependencies.map((name) => [name, manifest.dependencies[name]]),
  );
  writeManifest(folder, {
    name: "quorate-client",
    description: "A client of etcd v3 for Node: keys, watches, leases, locks, elections",
    engines: { node: clientNode },
    main: "./cjs/client/index.js",
    types: "./cjs/client/index.d.ts",
    exports: { ".": clientEntry("."), "./package.json": "./package.json" },
    dependencies,
  });
  cpSync(join(root, "docs/client.md"), join(folder, "README.md"));
}

function stageServer(folder: string): void {
  mkdirSync(folder, { recursive: true });
  compile(join(folder, "dist"), ["**/*.ts"], { declaration: false });
  cpSync(join(root, "src"), join(folder, "dist"), {
    recursive: true,
    filter: (source) => !source.endsWith(".ts") && !/\/testdata(\/|$)/.test(source),
  });
  chmodSync(join(folder, "dist/main.js"), 0o755);
  compileClient(join(folder, "client"));
  const { engines, dependencies } = manifest;
  writeManifest(folder, {
    name: "quorate",
    description: "etcd v3 in TypeScript: server, client and tools",
    engines,
    bin: { quorate: "dist/main.js" },
    exports: { "./client": clientEntry("./client"), "./package.json": "./package.json" },
    dependencies,
  });
  cpSync(join(root, "README.md"), join(folder, "README.md"));
}

export interface Package {
  readonly name: string;
  readonly tarball: string;
  readonly bytes: number;
  readonly unpackedBytes: number;
}

/** Writes both tarballs to `out`, which is emptied first. */
export function makePackages(out: string): Package[] {
  rmSync(out, { recursive: true, force: true });
  const stages: readonly (readonly [string, (folder: string) => void])[] = [
    ["quorate", stageServer],
    ["quorate-client", stageClient],
  ];
  return stages.map(([name, stage]) => {
    const folder = join(out, name);
    stage(folder);
    const packed = spawnSync("npm", ["pack", "--json", "--pack-destination", out], {
      cwd: folder,
      encoding: "utf8",
    });
    if (packed.status !== 0) throw new Error(`npm pack of ${name} failed: ${packed.stderr}`);
    const [about] = JSON.parse(packed.stdout) as [
      { filename: string; size: number; unpackedSize: number },
    ];
    const { filename, size, unpackedSize } = about;
    return { name, tarball: join(out, filename), bytes: size, unpackedBytes: unpackedSize };
  });
}
