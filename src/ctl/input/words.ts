/** How lines typed into `txn -i` and `watch -i` are cut into words, with quotes as in Go. */
import { ExitError, exitCode } from "../../cli/run.ts";
import { byteLetter, looseBytes, looseText } from "./loose-text.ts";

const pieces = /"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\t\n\f\r ][^\t\n\f\r ]*[^'"\t\n\f\r ]?/g;

/** The words of a line. @throws ExitError for a word in double quotes that Go cannot read. */
export function splitWords(line: string): string[] {
  return (line.match(pieces) ?? []).map((word) => {
    if (word.startsWith("'")) return word.slice(1, -1);
    if (!word.startsWith('"')) return word;
    const text = unquote(word);
    if (text === undefined) throw new ExitError(exitCode.invalidInput, "invalid syntax");
    return text;
  });
}

const singles: Readonly<Record<string, string>> = {
  ...{ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" },
  ...{ "\\": "\\", '"': '"' },
};
const escapes =
  /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([abfnrtv\\"]))|\\|[^\\]+/g;

/** The text inside double quotes with Go's escapes; `undefined`: not valid. @forTests */
export function unquote(quoted: string): string | undefined {
  const inner = quoted.slice(1, -1);
  if (inner.includes("\n")) return undefined;
  let text = "";
  let hasBytes = false;
  for (const match of inner.matchAll(escapes)) {
    const [whole, hex, short, long, octal, single] = match;
    if (whole === "\\") return undefined;
    const byte = hex === undefined ? parseInt(octal ?? "", 8) : parseInt(hex, 16);
    if (byte > 0xff) return undefined;
    if (!Number.isNaN(byte)) {
      hasBytes = true;
      text += byteLetter(byte);
    } else if (short !== undefined || long !== undefined) {
      const code = parseInt(short ?? long!, 16);
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
      text += String.fromCodePoint(code);
    } else {
      text += single === undefined ? whole : singles[single]!;
    }
  }
  // Bytes written one by one may be a character together.
  return hasBytes ? looseText(looseBytes(text)) : text;
}

/** What `"…"` or `` `…` `` at the beginning of `text` says, and what follows. */
export function scanQuoted(text: string): { value: string; rest: string } | undefined {
  const match = /^\s*(?:`([^`]*)`|("(?:[^"\\]|\\.)*"))/s.exec(text);
  if (match === null) return undefined;
  const value = match[1] ?? unquote(match[2]!);
  return value === undefined ? undefined : { value, rest: text.slice(match[0].length) };
}
