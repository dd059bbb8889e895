/**
 * How long requests take from their decoding to their answer, by type as etcd names them. Of the
 * frequent types some are measured, each counting for those between.
 */
import type { Family, Histogram } from "../../base/metrics.ts";
import type { Clock } from "../../base/ports.ts";
import { isFrequent, requestName, sampledEvery } from "./apply-times.ts";

export interface RequestMeters {
  /** Labels: type, success. */
  readonly requestSeconds: Family<Histogram>;
  /** Label: success. */
  readonly rangeSeconds: Family<Histogram>;
}

/** What {@link RequestTimes.sample} says of a request that is not measured. */
export const notMeasured = -1;

export class RequestTimes {
  readonly #clock: Clock;
  readonly #meters: RequestMeters;
  #untilSample = sampledEvery >> 1;

  constructor(clock: Clock, meters: RequestMeters) {
    this.#clock = clock;
    this.#meters = meters;
  }

  /** The time if this frequent request is to be measured, else {@link notMeasured}. */
  sample(): number {
    if (--this.#untilSample > 0) return notMeasured;
    this.#untilSample = sampledEvery;
    return this.#clock.now();
  }

  now(): number {
    return this.#clock.now();
  }

  /** A sampled read is answered. */
  read(type: "Range" | "ReadonlyTxn", startedAt: number, isGood: boolean): void {
    this.#observe(this.#meters.requestSeconds.with(type, String(isGood)), startedAt, sampledEvery);
  }

  /** The store has worked on a sampled range since then. */
  range(startedAt: number, isGood: boolean): void {
    this.#observe(this.#meters.rangeSeconds.with(String(isGood)), startedAt, sampledEvery);
  }

  /** When this proposal began, if it is to be measured, else {@link notMeasured}. */
  beginProposal(field: number): number {
    return isFrequent(field) ? this.sample() : this.#clock.now();
  }

  endProposal(field: number, startedAt: number, isGood: boolean): void {
    const seconds = this.#meters.requestSeconds.with(requestName(field), String(isGood));
    this.#observe(seconds, startedAt, isFrequent(field) ? sampledEvery : 1);
  }

  #observe(seconds: Histogram, startedAt: number, weight: number): void {
    seconds.observe((this.#clock.now() - startedAt) / 1000, weight);
  }
}
