/** Lines of a file, or of standard input, with the place behind each. */
import { readSync } from "node:fs";
import { concat } from "../../base/bytes.ts";
import type { Input } from "../context.ts";
import { LineError } from "./json-line.ts";

/** Longer than any key and value that a server takes, escaped. */
const lineBytesMax = 64 * 1024 * 1024;
const pieceBytes = 256 * 1024;
const lineFeed = 10;

export interface Line {
  /** Without its line feed. */
  readonly text: string;
  /** First byte behind it, from the beginning of the file. */
  readonly end: number;
  /** False: the file ends without a line feed. */
  readonly isWhole: boolean;
}

export type Lines = AsyncIterable<Line> | Iterable<Line>;

/** @throws LineError for a line above {@link lineBytesMax}. */
export function* fileLines(file: number, from: number): Generator<Line, void, undefined> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let parts: Uint8Array[] = [];
  let length = 0;
  let at = from;
  for (;;) {
    const piece = new Uint8Array(pieceBytes);
    const got = readSync(file, piece, 0, piece.length, at);
    if (got === 0) break;
    let begin = 0;
    for (;;) {
      const feed = piece.indexOf(lineFeed, begin);
      if (feed === -1 || feed >= got) break;
      parts.push(piece.subarray(begin, feed));
      begin = feed + 1;
      yield { text: decoder.decode(concat(parts)), end: at + begin, isWhole: true };
      parts = [];
      length = 0;
    }
    parts.push(piece.subarray(begin, got));
    length += got - begin;
    if (length > lineBytesMax) throw new LineError("the line is too long");
    at += got;
  }
  if (length > 0) yield { text: decoder.decode(concat(parts)), end: at, isWhole: false };
}

export async function* inputLines(input: Input): AsyncGenerator<Line, void, undefined> {
  for (let end = 0; ;) {
    const text = await input.line();
    if (text === "") return;
    end += text.length;
    const isWhole = text.endsWith("\n");
    yield { text: isWhole ? text.slice(0, -1) : text, end, isWhole };
  }
}
