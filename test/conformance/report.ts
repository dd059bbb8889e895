// Counts what passed and prints what failed.

const shownLinesMax = 40;

export class Report {
  passed = 0;
  failed = 0;

  pass(): void {
    this.passed++;
  }

  fail(name: string, details: string): void {
    this.failed++;
    const lines = details.split("\n");
    const shown = lines.slice(0, shownLinesMax);
    if (lines.length > shown.length) shown.push(`… ${lines.length - shown.length} more lines`);
    process.stdout.write(`FAIL ${name}\n${shown.map((line) => `  ${line}`).join("\n")}\n`);
  }

  /** One check: equal texts pass, others fail with the first differing line. */
  compare(name: string, want: string, got: string): void {
    if (want === got) {
      this.pass();
      return;
    }
    const wantLines = want.split("\n");
    const gotLines = got.split("\n");
    const at = wantLines.findIndex((line, i) => line !== gotLines[i]);
    const first = at === -1 ? wantLines.length : at;
    this.fail(
      name,
      [
        `line ${first + 1}`,
        `want ${wantLines[first] ?? "(end)"}`,
        `got  ${gotLines[first] ?? "(end)"}`,
      ].join("\n"),
    );
  }

  note(text: string): void {
    process.stdout.write(`${text}\n`);
  }
}
