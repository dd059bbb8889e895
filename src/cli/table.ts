/**
 * Tables as etcdctl and etcdutl 3.7 draw them: lines of box characters, headers in capitals and
 * centred, cells to the right.
 */

/** Letters that take two columns of a terminal. */
const wide =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u;
const zero = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

function widthOf(text: string): number {
  let width = 0;
  for (const letter of text) width += zero.test(letter) ? 0 : wide.test(letter) ? 2 : 1;
  return width;
}

type Line = (cells: readonly string[]) => string;

/** The whole table, each line ended. A row has as many cells as `header`; cells may have lines. */
export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const head = header.map((cell) => cell.replaceAll("_", " ").trim().toUpperCase());
  const body = rows.flatMap(splitLines);
  const widths = head.map((cell, i) =>
    Math.max(widthOf(cell), ...body.map((row) => widthOf(row[i] ?? ""))),
  );
  const rule = (left: string, middle: string, right: string): string =>
    `${left}${widths.map((width) => "─".repeat(width + 2)).join(middle)}${right}\n`;
  const line =
    (align: (cell: string, width: number) => string): Line =>
    (cells) =>
      `│${widths.map((width, i) => ` ${align(cells[i] ?? "", width)} `).join("│")}│\n`;
  return [
    rule("┌", "┬", "┐"),
    line(centre)(head),
    ...(body.length === 0 ? [] : [rule("├", "┼", "┤"), ...body.map(line(toRight))]),
    rule("└", "┴", "┘"),
  ].join("");
}

/** The terminal lines of one row: a cell with line feeds takes several. */
function splitLines(row: readonly string[]): string[][] {
  const cells = row.map((cell) => cell.split("\n").map((text) => text.trim()));
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, i) => cells.map((lines) => lines[i] ?? ""));
}

function centre(cell: string, width: number): string {
  const room = width - widthOf(cell);
  const left = Math.floor(room / 2);
  return " ".repeat(left) + cell + " ".repeat(room - left);
}

function toRight(cell: string, width: number): string {
  return " ".repeat(width - widthOf(cell)) + cell;
}
