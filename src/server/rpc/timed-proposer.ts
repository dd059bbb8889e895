import type { EtcdError } from "../../base/etcd-errors.ts";
import type { TxnRequest } from "../../codec/messages.ts";
import type { ApplyResult } from "../apply/applier.ts";
import { notMeasured, type RequestTimes } from "../apply/request-times.ts";
import type { Waiter } from "../proposals.ts";
import type { Proposer } from "./services.ts";

/** Measures proposals up to the answer of whoever waits for them. */
export function timedProposer(proposer: Proposer, times: RequestTimes): Proposer {
  return {
    propose(field, body, waiter): void {
      const startedAt = times.beginProposal(field);
      const told =
        startedAt === notMeasured ? waiter : new TimedWaiter(waiter, times, field, startedAt);
      proposer.propose(field, body, told);
    },
  };
}

class TimedWaiter implements Waiter {
  readonly request?: TxnRequest;
  readonly #waiter: Waiter;
  readonly #times: RequestTimes;
  readonly #field: number;
  readonly #startedAt: number;

  constructor(waiter: Waiter, times: RequestTimes, field: number, startedAt: number) {
    if (waiter.request !== undefined) this.request = waiter.request;
    this.#waiter = waiter;
    this.#times = times;
    this.#field = field;
    this.#startedAt = startedAt;
  }

  get isGone(): boolean {
    return this.#waiter.isGone === true;
  }

  applied(result: ApplyResult): void {
    this.#times.endProposal(this.#field, this.#startedAt, result.error === null);
    this.#waiter.applied(result);
  }

  failed(error: EtcdError): void {
    this.#times.endProposal(this.#field, this.#startedAt, false);
    this.#waiter.failed(error);
  }
}
