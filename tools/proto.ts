/**
 * `npm run proto`: generates src/gen from proto/. JavaScript with declarations, because the
 * TypeScript output holds enums, which type stripping cannot run.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
export const genFolder = join(root, "src/gen");

/** Works without network: compiler and plugin are packages of this repository. */
export function generate(into: string): void {
  rmSync(into, { recursive: true, force: true });
  const plugin = join(root, "node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es");
  const template = {
    version: "v2",
    plugins: [
      {
        local: [process.execPath, plugin],
        out: into,
        opt: ["target=js+dts", "import_extension=js"],
      },
    ],
  };
  const result = spawnSync(
    process.execPath,
    [
      join(root, "node_modules/@bufbuild/buf/bin/buf"),
      "generate",
      join(root, "proto"),
      "--template",
      JSON.stringify(template),
    ],
    { cwd: root, encoding: "utf8" },
  );
  if (result.status !== 0) throw new Error(`Cannot generate ${into}: ${result.stderr}`);
}

if (import.meta.main) generate(genFolder);
