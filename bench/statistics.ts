// Small statistics over a few numbers or measurements.
import type { Compared, Measured } from "./load.ts";

/** The value below which the share q of all values lies; 0 without values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Figure by figure. */
export function medians(all: readonly Measured[]): Measured {
  const of = (figure: keyof Measured): number => median(all.map((one) => one[figure]));
  return {
    operations: of("operations"),
    perSecond: of("perSecond"),
    cpuUs: of("cpuUs"),
    p50Us: of("p50Us"),
    p99Us: of("p99Us"),
    maxUs: of("maxUs"),
  };
}

/** The rounds' medians (BEN3), printed as they come. */
export function compared(
  name: string,
  unit: Compared["unit"],
  etcd: readonly Measured[],
  quorate: readonly Measured[],
): Compared {
  const result = { name, unit, etcd: medians(etcd), quorate: medians(quorate) };
  const ratio = (figure: "perSecond" | "cpuUs"): string =>
    (result.quorate[figure] / result.etcd[figure]).toFixed(2);
  process.stdout.write(
    `${name}: ${result.etcd.perSecond.toFixed(0)} -> ${result.quorate.perSecond.toFixed(0)} per s ` +
      `(${ratio("perSecond")}), CPU ${result.etcd.cpuUs.toFixed(2)} -> ` +
      `${result.quorate.cpuUs.toFixed(2)} us (${ratio("cpuUs")})\n`,
  );
  return result;
}
