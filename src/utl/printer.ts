/** The output formats of etcdutl. */
import { renderTable } from "../cli/table.ts";
import { exitCode, ExitError } from "../cli/run.ts";
import type { UtlCall } from "./context.ts";

/** One figure of a result, in the words of each format. */
export interface Figure {
  readonly title: string;
  readonly fields: string;
  readonly json: string;
  readonly value: string | number;
  /** In simple and table, where it is not `value`. */
  readonly shown?: string;
}

export type Print = (figures: readonly Figure[]) => string;

const shownOf = ({ value, shown }: Figure): string => shown ?? String(value);

const printers: Readonly<Record<string, Print>> = {
  simple: (figures) => `${figures.map(shownOf).join(", ")}\n`,
  fields: (figures) => figures.map((f) => `"${f.fields}" : ${f.value}\n`).join(""),
  json: (figures) => {
    const fields = figures.map((f) => `${JSON.stringify(f.json)}:${JSON.stringify(f.value)}`);
    return `{${fields.join(",")}}\n`;
  },
  table: (figures) =>
    renderTable(
      figures.map((f) => f.title),
      [figures.map(shownOf)],
    ),
  protobuf: () => {
    throw new ExitError(exitCode.badFeature, "protobuf not supported as output format");
  },
};

/** The printer that `--write-out` names. Ends the program for a name that is none. */
export function printerOf(call: UtlCall): Print {
  const format = call.flags.string("write-out");
  const print = Object.hasOwn(printers, format) ? printers[format] : undefined;
  if (print === undefined) {
    throw new ExitError(exitCode.badFeature, "unsupported output format");
  }
  return print;
}
