/** A result in each of the five output formats; what a format lacks is refused by name. */
import { ExitError, exitCode } from "../../cli/run.ts";
import type { Schema } from "../wire/message.ts";
import { encodeMessage } from "../wire/message.ts";
import type { GoJson } from "./go-json.ts";
import { messageJson, toGoJson } from "./go-json.ts";
import { Page } from "./page.ts";

const formats = ["fields", "json", "protobuf", "simple", "table"] as const;
export type Format = (typeof formats)[number];

/** How everything is to be printed: `--write-out` and `--hex`. */
export interface Style {
  readonly format: Format;
  readonly isHex: boolean;
  /** `get --print-value-only`. */
  readonly isValueOnly?: boolean;
}

/** One result. `json` and `protobuf` print the message itself where nothing else is said. */
export interface Shown {
  readonly simple: (page: Page, style: Style) => void;
  readonly fields?: (page: Page, style: Style) => void;
  readonly table?: () => string;
  readonly json?: (style: Style) => GoJson;
  readonly protobuf?: () => Uint8Array;
}

/** A message in the two formats that print it as it came. */
export function asMessage<T>(type: Schema<T>, message: T): Pick<Shown, "json" | "protobuf"> {
  return {
    json: () => messageJson(type, message),
    protobuf: () => encodeMessage(type, message),
  };
}

/** @throws ExitError */
export function parseFormat(text: string): Format {
  const format = formats.find((name) => name === text);
  if (format === undefined) {
    throw new ExitError(exitCode.badFeature, "unsupported output format");
  }
  return format;
}

/** The bytes to print. @throws ExitError when the result has no such format. */
export function render(shown: Shown, style: Style): Uint8Array {
  const page = new Page();
  const { format } = style;
  switch (format) {
    case "simple":
      shown.simple(page, style);
      return page.bytes();
    case "fields":
      if (shown.fields === undefined) throw unsupported(format);
      shown.fields(page, style);
      return page.bytes();
    case "table":
      if (shown.table === undefined) throw unsupported(format);
      return page.add(shown.table()).bytes();
    case "json":
      if (shown.json === undefined) throw unsupported(format);
      return page.line(toGoJson(shown.json(style))).bytes();
    case "protobuf":
      if (shown.protobuf === undefined) throw unsupported(format);
      return shown.protobuf();
  }
}

function unsupported(format: Format): ExitError {
  return new ExitError(exitCode.badFeature, `${format} not supported as output format`);
}
