/**
 * How long applying takes, by kind of request. Two looks at the clock would make a put noticeably
 * dearer, so of the frequent kinds only some are measured, each counting for those between.
 */
import type { Family, Histogram } from "../../base/metrics.ts";
import type { Clock } from "../../base/ports.ts";
import { requestField } from "./fields.ts";

/** Of this many puts, transactions and deletions one is measured; prime, to fit no pattern. */
export const sampledEvery = 17;

export function isFrequent(field: number): boolean {
  return (
    field === requestField.put || field === requestField.txn || field === requestField.deleteRange
  );
}

const names = new Map<number, string>(
  Object.entries(requestField).map(([name, field]) => [
    field,
    name.charAt(0).toUpperCase() + name.slice(1),
  ]),
);

/** As etcd names the request in its metrics. */
export function requestName(field: number): string {
  return names.get(field) ?? "unknown";
}

export class ApplyTimes {
  readonly #clock: Clock;
  readonly #seconds: Family<Histogram>;
  /** By field, those of failures negative. */
  readonly #known = new Map<number, Histogram>();
  #untilSample = sampledEvery >> 1;
  #weight = 0;
  #startedAt = 0;

  /** @param seconds with the labels version, op and success */
  constructor(clock: Clock, seconds: Family<Histogram>) {
    this.#clock = clock;
    this.#seconds = seconds;
  }

  begin(field: number): void {
    this.#weight = isFrequent(field) ? this.#sample() : 1;
    if (this.#weight > 0) this.#startedAt = this.#clock.now();
  }

  #sample(): number {
    if (--this.#untilSample > 0) return 0;
    this.#untilSample = sampledEvery;
    return sampledEvery;
  }

  end(field: number, isGood: boolean): void {
    if (this.#weight === 0) return;
    const seconds = (this.#clock.now() - this.#startedAt) / 1000;
    this.#histogram(field, isGood).observe(seconds, this.#weight);
  }

  #histogram(field: number, isGood: boolean): Histogram {
    const key = isGood ? field : -field;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = this.#seconds.with("v3", requestName(field), String(isGood));
    this.#known.set(key, made);
    return made;
  }
}
