/** The tree as the tidy rules see it: every source file once, with its imports and exports. */
import { readFileSync, globSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import ts from "typescript";

export interface Import {
  /** Path from the root for files of ours, the specifier as written for anything else. */
  readonly target: string;
  readonly isLocal: boolean;
  readonly isTypeOnly: boolean;
  /** Imported names; `*` for all. */
  readonly names: readonly string[];
}

export interface Export {
  readonly name: string;
  readonly line: number;
  /** A type whose name the same file also uses, so callers meet it in a signature. */
  readonly isUsedType: boolean;
  /** The doc comment says `@forTests`: made for tests, so their use counts. */
  readonly isForTests: boolean;
}

export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  /** Own lines: those of functions inside it count for them. */
  readonly lines: number;
}

export interface Source {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  readonly exports: readonly Export[];
  readonly functions: readonly FunctionSpan[];
}

export const isTest = (path: string): boolean =>
  path.startsWith("test/") || /\.test\.ts$/.test(path);

/** Reads and parses every TypeScript file of the tree, generated ones excepted. */
export function readTree(root: string): Source[] {
  const found = globSync(["{src,test,tools,bench}/**/*.ts", "tools/*.mjs", "eslint.config.js"], {
    cwd: root,
  });
  return found
    .filter((path) => !/(^|\/)(node_modules|gen|dist)\//.test(path) && !path.endsWith(".d.ts"))
    .sort()
    .map((path) => parse(path, readFileSync(join(root, path), "utf8")));
}

export function parse(path: string, text: string): Source {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
  return {
    path,
    text,
    imports: [
      ...file.statements.flatMap((s) => importsOf(s, path)),
      ...dynamicImports(text).map((to) => importOf(path, to, false, ["*"])),
    ],
    exports: file.statements.flatMap((s) => exportsOf(s, file)),
    functions: functionsOf(file),
  };
}

function importsOf(statement: ts.Statement, from: string): Import[] {
  if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
  const specifier = statement.moduleSpecifier;
  if (specifier === undefined || !ts.isStringLiteral(specifier)) return [];
  if (ts.isExportDeclaration(statement)) {
    const clause = statement.exportClause;
    const names = clause && ts.isNamedExports(clause) ? clause.elements.map(nameIn) : ["*"];
    return [importOf(from, specifier.text, statement.isTypeOnly, names)];
  }
  const clause = statement.importClause;
  const bindings = clause?.namedBindings;
  const names = bindings && ts.isNamedImports(bindings) ? bindings.elements.map(nameIn) : ["*"];
  const isTypeOnly = clause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  return [importOf(from, specifier.text, isTypeOnly, names)];
}

function importOf(from: string, to: string, isTypeOnly: boolean, names: string[]): Import {
  const isLocal = to.startsWith(".");
  return { target: isLocal ? posix.join(dirname(from), to) : to, isLocal, isTypeOnly, names };
}

/** `await import("./x.ts")` counts as importing all of it. */
function dynamicImports(text: string): string[] {
  return [...text.matchAll(/\bimport\("([^"]+)"\)/g)].map((match) => match[1] ?? "");
}

function nameIn(element: ts.ImportSpecifier | ts.ExportSpecifier): string {
  return (element.propertyName ?? element.name).text;
}

function exportsOf(statement: ts.Statement, file: ts.SourceFile): Export[] {
  if (!ts.canHaveModifiers(statement)) return [];
  const isExported = ts
    .getModifiers(statement)
    ?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword);
  if (isExported !== true) return [];
  const isType = ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
  const isForTests = /@forTests\b/.test(docOf(statement, file));
  const line = lineOf(file, statement.getStart());
  return namesOf(statement).map((name) => ({
    name,
    line,
    isUsedType: isType && countWord(file.text, name) > 1,
    isForTests,
  }));
}

function docOf(statement: ts.Statement, file: ts.SourceFile): string {
  return file.text.slice(statement.getFullStart(), statement.getStart());
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap((d) =>
      ts.isIdentifier(d.name) ? [d.name.text] : [],
    );
  }
  const { name } = statement as { name?: ts.Identifier };
  return name === undefined ? [] : [name.text];
}

function countWord(text: string, word: string): number {
  return text.match(new RegExp(`\\b${word}\\b`, "g"))?.length ?? 0;
}

function functionsOf(file: ts.SourceFile): FunctionSpan[] {
  const spans: FunctionSpan[] = [];
  /** Lines taken by functions below this node, itself included. */
  const walk = (node: ts.Node): number => {
    let inner = 0;
    ts.forEachChild(node, (child) => {
      inner += walk(child);
    });
    if (!ts.isFunctionLike(node)) return inner;
    const first = lineOf(file, node.getStart());
    const lines = lineOf(file, node.getEnd()) - first + 1;
    if (lines <= 1) return inner; // an arrow on one line shares it with its surroundings
    spans.push({ name: nameOf(node), line: first, lines: lines - inner });
    return lines;
  };
  walk(file);
  return spans;
}

function nameOf(node: ts.SignatureDeclaration): string {
  return node.name?.getText() ?? "function";
}

function lineOf(file: ts.SourceFile, at: number): number {
  return file.getLineAndCharacterOfPosition(at).line + 1;
}
