/**
 * The rules a linter cannot hold: layers, cycles, sizes, words, dead exports, links, reasons for
 * dependencies. `node tools/tidy.ts` prints each breach; test/tidy.test.ts runs the same.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkCycles, checkLayers } from "./tidy-layers.ts";
import type { Source } from "./tidy-source.ts";
import { isTest, readTree } from "./tidy-source.ts";

export const limits = { fileLinesMax: 450, functionLinesMax: 70, columnsMax: 100 } as const;

/** Files that may be longer, each with its reason. */
const longFiles: Readonly<Record<string, string>> = {};

/** Files and folders whose exports form a complete table by design, used or not. */
const openTables: Readonly<Record<string, string>> = {
  "src/base/etcd-errors.ts": "every error of etcd 3.7.1",
  "src/codec/": "encoder and decoder of a message come in pairs: each is the other's property test",
};

// Put together from parts, so that this file does not break its own rule.
const bannedWords = ["TO" + "DO", "FIX" + "ME", "XX" + "X"];
const bannedPattern = new RegExp(`\\b(?:${bannedWords.join("|")})\\b`);

/** Every breach of the tidy rules below `root`, one line each. */
export function checkTree(root: string): string[] {
  const sources = readTree(root);
  return [
    ...checkLayers(sources),
    ...checkCycles(sources),
    ...sources.flatMap(checkText),
    ...sources.flatMap(checkFunctions),
    ...checkExports(sources),
    ...checkLinks(root),
    ...checkDependencies(root),
  ];
}

export function checkText(source: Source): string[] {
  const lines = source.text.split("\n");
  const problems: string[] = [];
  if (lines.length - 1 > limits.fileLinesMax && longFiles[source.path] === undefined) {
    problems.push(
      `${source.path}: ${String(lines.length - 1)} lines, at most ${String(limits.fileLinesMax)}`,
    );
  }
  lines.forEach((line, i) => {
    const at = `${source.path}:${String(i + 1)}`;
    if (line.length > limits.columnsMax && !isUnbreakable(line)) {
      problems.push(`${at}: ${String(line.length)} columns, at most ${String(limits.columnsMax)}`);
    }
    const word = bannedPattern.exec(line)?.[0];
    if (word !== undefined) problems.push(`${at}: "${word}"; open an issue instead`);
  });
  return problems;
}

/** One long literal: texts of the wire and links stay whole, so that a search finds them. */
function isUnbreakable(line: string): boolean {
  return (
    /^[^"'`/]{0,50}(["'`/]).{40,}\1[^"'`]{0,12}$/.test(line) || /https?:\/\/\S{40,}/.test(line)
  );
}

export function checkFunctions(source: Source): string[] {
  if (isTest(source.path)) return []; // a suite is one callback by nature
  return source.functions
    .filter((f) => f.lines > limits.functionLinesMax)
    .map(
      (f) =>
        `${source.path}:${String(f.line)}: ${f.name} has ${String(f.lines)} lines, ` +
        `at most ${String(limits.functionLinesMax)}`,
    );
}

function isOpenTable(path: string): boolean {
  return Object.keys(openTables).some((prefix) => path.startsWith(prefix));
}

/** Exports of src that nobody imports. Tests alone do not keep code alive. */
export function checkExports(sources: readonly Source[]): string[] {
  const used = new Set<string>();
  const usedByTests = new Set<string>();
  for (const source of sources) {
    const into = isTest(source.path) ? usedByTests : used;
    for (const i of source.imports) for (const name of i.names) into.add(`${i.target}#${name}`);
  }
  const isUsed = (set: ReadonlySet<string>, path: string, name: string): boolean =>
    set.has(`${path}#${name}`) || set.has(`${path}#*`);
  return sources
    .filter((s) => s.path.startsWith("src/") && !isTest(s.path) && !isOpenTable(s.path))
    .flatMap((s) =>
      s.exports
        .filter((e) => !e.isUsedType && !isUsed(used, s.path, e.name))
        .filter((e) => !(e.isForTests && isUsed(usedByTests, s.path, e.name)))
        .map((e) => `${s.path}:${String(e.line)}: export ${e.name} is imported by nobody`),
    );
}

/** Links of the documentation to files that are not there. */
function checkLinks(root: string): string[] {
  return globSync(["*.md", "docs/**/*.md"], { cwd: root }).flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8").replace(/```[\s\S]*?```/g, "");
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1] ?? "")
      .filter((link) => !/^[a-z]+:/.test(link) && !link.startsWith("#"))
      .filter((link) => !existsSync(join(root, dirname(path), link.replace(/#.*$/, ""))))
      .map((link) => `${path}: link to ${link} leads nowhere`);
  });
}

/** A dependency without a written reason. */
function checkDependencies(root: string): string[] {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<
    string,
    Readonly<Record<string, string>> | undefined
  >;
  const reasons = globSync("docs/adr/*.md", { cwd: root })
    .map((path) => readFileSync(join(root, path), "utf8"))
    .join("\n");
  return ["dependencies", "devDependencies", "optionalDependencies"]
    .flatMap((kind) => Object.keys(manifest[kind] ?? {}))
    .filter((name) => !reasons.includes(`\`${name}\``))
    .map((name) => `package.json: no record in docs/adr names \`${name}\``);
}

if (import.meta.main) {
  const problems = checkTree(join(import.meta.dirname, ".."));
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
