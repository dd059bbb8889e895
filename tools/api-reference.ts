/**
 * Writes docs/client-api.md from the docstrings of what src/client/index.ts exports; with `--check`
 * only tells whether the file is current.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import ts from "typescript";

const root = join(import.meta.dirname, "..");
const entry = join(root, "src/client/index.ts");
const target = join(root, "docs/client-api.md");

const head = `# Client API

Made by \`npm run api\` from the docstrings of \`src/client\`; examples and guides are in
[client.md](client.md). Members without a text say all in their name and type.
`;

const signatureFlags = ts.TypeFormatFlags.NoTruncation;

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

class Reference {
  readonly #checker: ts.TypeChecker;

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker;
  }

  #doc(symbol: ts.Symbol): string {
    const text = ts.displayPartsToString(symbol.getDocumentationComment(this.#checker));
    return text.trim();
  }

  /** `name(a: A): B` for what can be called, `name: T` for the rest. */
  #member(symbol: ts.Symbol, name: string, at: ts.Node): string[] {
    const type = this.#checker.getTypeOfSymbolAtLocation(symbol, at);
    const isOptional = (symbol.flags & ts.SymbolFlags.Optional) !== 0;
    const calls = this.#checker.getNonNullableType(type).getCallSignatures();
    const isMethod = (symbol.flags & (ts.SymbolFlags.Method | ts.SymbolFlags.Function)) !== 0;
    if (isMethod && calls.length > 0) {
      return calls.map(
        (call) => `${name}${this.#checker.signatureToString(call, at, signatureFlags)}`,
      );
    }
    const text = this.#checker.typeToString(type, at, signatureFlags);
    return [`${name}${isOptional ? "?" : ""}: ${text}`];
  }

  #isPublic(symbol: ts.Symbol): boolean {
    const declaration = symbol.valueDeclaration ?? symbol.declarations?.[0];
    if (declaration === undefined || symbol.name.startsWith("__")) return false;
    if (ts.isPropertyDeclaration(declaration) || ts.isMethodDeclaration(declaration)) {
      if (ts.isPrivateIdentifier(declaration.name)) return false;
    }
    const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
    if ((ts.getCombinedModifierFlags(declaration) & hidden) !== 0) return false;
    // What comes from Error, EventEmitter and their like is documented there.
    return declaration.getSourceFile().fileName.startsWith(join(root, "src"));
  }

  #members(symbol: ts.Symbol, at: ts.Node): string[] {
    const type = this.#checker.getDeclaredTypeOfSymbol(symbol);
    const lines: string[] = [];
    for (const member of type.getProperties()) {
      if (!this.#isPublic(member)) continue;
      const doc = oneLine(this.#doc(member));
      const texts = this.#member(member, member.name, at).map((text) => `\`${oneLine(text)}\``);
      lines.push(`- ${texts.join(", ")}${doc === "" ? "" : `: ${doc}`}`);
    }
    return lines;
  }

  #construct(symbol: ts.Symbol, at: ts.Node): string[] {
    const type = this.#checker.getTypeOfSymbolAtLocation(symbol, at);
    return type.getConstructSignatures().map((signature) => {
      const text = this.#checker.signatureToString(signature, at, signatureFlags);
      return `\`new ${symbol.name}${oneLine(text)}\``;
    });
  }

  section(exported: ts.Symbol, at: ts.Node): string {
    const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
    const symbol = isAlias ? this.#checker.getAliasedSymbol(exported) : exported;
    const parts = [`## ${exported.name}`];
    const doc = this.#doc(symbol);
    if (doc !== "") parts.push(doc);
    if ((symbol.flags & ts.SymbolFlags.Class) !== 0) parts.push(...this.#construct(symbol, at));
    if ((symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface)) !== 0) {
      const members = this.#members(symbol, at);
      if (members.length > 0) parts.push(members.join("\n"));
    } else if ((symbol.flags & ts.SymbolFlags.TypeAlias) !== 0) {
      const text = symbol.declarations?.[0]?.getText() ?? "";
      parts.push(`\`\`\`ts\n${text.replace(/^export /, "")}\n\`\`\``);
    } else {
      const texts = this.#member(symbol, symbol.name, at).map((text) => `\`${oneLine(text)}\``);
      parts.push(texts.join("\n\n"));
    }
    return parts.join("\n\n");
  }
}

function render(): string {
  const configFile = ts.readConfigFile(join(root, "tsconfig.json"), (path) =>
    readFileSync(path, "utf8"),
  );
  const config = configFile.config as unknown;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram([entry], options);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry);
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  if (source === undefined || module === undefined) throw new Error(`Cannot read "${entry}"`);
  const reference = new Reference(checker);
  const sections = checker
    .getExportsOfModule(module)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((symbol) => reference.section(symbol, source));
  return `${head}\n${sections.join("\n\n")}\n`;
}

const text = render();
if (!process.argv.includes("--check")) {
  writeFileSync(target, text);
} else if (readFileSync(target, "utf8") !== text) {
  process.stderr.write("docs/client-api.md is not current: npm run api\n");
  process.exitCode = 1;
}
