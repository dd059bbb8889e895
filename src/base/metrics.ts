/**
 * Counters, gauges and histograms, and their text form for Prometheus. Incrementing one is a plain
 * addition to a field: hot paths keep the object, never look it up by name.
 */
import { assert } from "./assert.ts";

class Counter {
  value = 0;
}

export class Gauge {
  value = 0;
}

export class Histogram {
  /** Upper bounds, ascending; the last bucket (+Inf) is implied. */
  readonly bounds: readonly number[];
  /** Observations per bucket, not cumulated. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** @param count how many equal observations this one stands for */
  observe(value: number, count = 1): void {
    const { bounds } = this;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    this.counts[at]! += count;
    this.sum += value * count;
  }
}

/** `count` bounds: start, start × 2, start × 4 and so on. */
export function doubling(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => start * 2 ** i);
}

type Metric = Counter | Gauge | Histogram;
type Kind = "counter" | "gauge" | "histogram";

/** Metrics of one name that differ in their labels. */
export class Family<M extends Metric> {
  readonly name: string;
  readonly help: string;
  readonly kind: Kind;
  readonly labels: readonly string[];
  readonly #make: () => M;
  readonly #children = new Map<string, { readonly text: string; readonly metric: M }>();

  constructor(head: FamilyHead, make: () => M) {
    this.name = head.name;
    this.help = head.help;
    this.kind = head.kind;
    this.labels = head.labels;
    this.#make = make;
  }

  /** The metric for these label values, in the order of the labels; made when first asked for. */
  with(...values: readonly string[]): M {
    assert(values.length === this.labels.length, `${this.name}: wrong number of label values`);
    const key = values.join("\u0000");
    const known = this.#children.get(key);
    if (known !== undefined) return known.metric;
    const text = this.labels
      .map((label, i) => `${label}="${escapeLabel(values[i]!)}"`)
      .sort()
      .join(",");
    const metric = this.#make();
    this.#children.set(key, { text, metric });
    return metric;
  }

  /** Appends the family's lines, or nothing while it has no metric. */
  write(lines: string[]): void {
    if (this.#children.size === 0) return;
    lines.push(`# HELP ${this.name} ${escapeHelp(this.help)}`, `# TYPE ${this.name} ${this.kind}`);
    for (const { text, metric } of this.#children.values()) {
      if (metric instanceof Histogram) {
        writeHistogram(lines, this.name, text, metric);
      } else {
        const labels = text === "" ? "" : `{${text}}`;
        lines.push(`${this.name}${labels} ${formatNumber(metric.value)}`);
      }
    }
  }
}

interface FamilyHead {
  readonly name: string;
  readonly help: string;
  readonly kind: Kind;
  readonly labels: readonly string[];
}

/** Names are unique; the text lists them in order. */
export class MetricRegistry {
  readonly #families = new Map<string, { write(lines: string[]): void }>();
  readonly #collectors: (() => void)[] = [];

  counter(name: string, help: string): Counter {
    return this.counters(name, help, []).with();
  }

  gauge(name: string, help: string): Gauge {
    return this.gauges(name, help, []).with();
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    return this.histograms(name, help, bounds, []).with();
  }

  counters(name: string, help: string, labels: readonly string[]): Family<Counter> {
    return this.#add(new Family({ name, help, kind: "counter", labels }, () => new Counter()));
  }

  gauges(name: string, help: string, labels: readonly string[]): Family<Gauge> {
    return this.#add(new Family({ name, help, kind: "gauge", labels }, () => new Gauge()));
  }

  histograms(
    name: string,
    help: string,
    bounds: readonly number[],
    labels: readonly string[],
  ): Family<Histogram> {
    const head = { name, help, kind: "histogram" as const, labels };
    return this.#add(new Family(head, () => new Histogram(bounds)));
  }

  /** Runs before each exposition, to set what is not worth keeping up to date. */
  onCollect(run: () => void): void {
    this.#collectors.push(run);
  }

  /** The whole text, in Prometheus' format 0.0.4. */
  text(): string {
    for (const run of this.#collectors) run();
    const lines: string[] = [];
    for (const name of [...this.#families.keys()].sort()) this.#families.get(name)?.write(lines);
    return `${lines.join("\n")}\n`;
  }

  #add<M extends Metric>(family: Family<M>): Family<M> {
    assert(!this.#families.has(family.name), () => `metric ${family.name} exists already`);
    this.#families.set(family.name, family);
    return family;
  }
}

function writeHistogram(lines: string[], name: string, labels: string, metric: Histogram): void {
  const prefix = labels === "" ? "" : `${labels},`;
  let total = 0;
  metric.bounds.forEach((bound, i) => {
    total += metric.counts[i]!;
    lines.push(`${name}_bucket{${prefix}le="${formatNumber(bound)}"} ${formatNumber(total)}`);
  });
  total += metric.counts[metric.bounds.length]!;
  const own = labels === "" ? "" : `{${labels}}`;
  lines.push(
    `${name}_bucket{${prefix}le="+Inf"} ${formatNumber(total)}`,
    `${name}_sum${own} ${formatNumber(metric.sum)}`,
    `${name}_count${own} ${formatNumber(total)}`,
  );
}

/** As Go prints floats in their shortest form: an exponent from 1e+06 and from 1e-05 on. */
function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  if (value === 0) return "0";
  const [digits = "", exponent = "0"] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(value);
  const sign = power < 0 ? "-" : "+";
  return `${digits}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
