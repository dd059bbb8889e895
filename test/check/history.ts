/**
 * What clients saw of a cluster, in the one form that the simulator, the real-process suites and
 * all checkers share. Keys and values are binary strings, lease ids decimal ones; times are
 * milliseconds of one clock.
 */

import type { SeenResponse, WatchRecord } from "../model/watch-rules.ts";

export interface Kv {
  readonly key: string;
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  /** "0": none. */
  readonly lease: string;
}

export interface Compare {
  readonly key: string;
  readonly target: "value" | "mod" | "create" | "version";
  readonly result: "=" | "!=" | "<" | ">";
  readonly operand: string | number;
}

export interface RangeOf {
  readonly kind: "range";
  readonly key: string;
  /** Exclusive; absent: the single key. */
  readonly end?: string;
  /** A read of the past; absent: of the present. */
  readonly revision?: number;
  readonly isSerializable?: boolean;
}

export type KvRequest =
  | { readonly kind: "put"; readonly key: string; readonly value: string; readonly lease?: string }
  | { readonly kind: "delete"; readonly key: string; readonly end?: string }
  | RangeOf
  | { readonly kind: "grant"; readonly lease: string }
  | { readonly kind: "revoke"; readonly lease: string }
  | {
      readonly kind: "txn";
      readonly compares: readonly Compare[];
      readonly success: readonly KvRequest[];
      readonly failure: readonly KvRequest[];
    };

/** `revision` is the header's; 0 within a transaction. */
export type KvResponse =
  | { readonly kind: "put" | "grant" | "revoke"; readonly revision: number }
  | { readonly kind: "delete"; readonly revision: number; readonly deleted: number }
  | { readonly kind: "range"; readonly revision: number; readonly kvs: readonly Kv[] }
  | {
      readonly kind: "txn";
      readonly revision: number;
      readonly succeeded: boolean;
      readonly responses: readonly KvResponse[];
    };

export interface Operation {
  readonly id: number;
  /** Who asked; one process has at most one operation under way. */
  readonly process: number;
  readonly call: number;
  /** Infinity: nobody knows whether it happened. */
  readonly returned: number;
  readonly request: KvRequest;
  /** null: nobody knows. */
  readonly response: KvResponse | null;
}

/** A lease as its owner saw it. */
export type LeaseEvent =
  | { readonly kind: "granted"; readonly call: number; readonly at: number; readonly ttlMs: number }
  | { readonly kind: "renewed"; readonly call: number; readonly at: number; readonly ttlMs: number }
  /** A renewal or look-up said that there is no such lease. */
  | { readonly kind: "missing"; readonly call: number; readonly at: number }
  /** A revoke was asked for; the answer, if any, does not matter. */
  | { readonly kind: "revoking"; readonly call: number; readonly at: number }
  /** A renewal without an answer: from now on the lease may live on for any time. */
  | { readonly kind: "lost"; readonly call: number; readonly at: number }
  /** A look-up (or a key attached to it) showed that it exists. */
  | { readonly kind: "present"; readonly call: number; readonly at: number };

export interface LeaseHistory {
  readonly id: string;
  readonly events: LeaseEvent[];
}

export interface History {
  readonly operations: readonly Operation[];
  readonly watches: readonly WatchRecord[];
  readonly leases: readonly LeaseHistory[];
}

type MutableOperation = { -readonly [K in keyof Operation]: Operation[K] };

/** Records while clients run. */
export class Recorder implements History {
  readonly operations: MutableOperation[] = [];
  readonly watches: (WatchRecord & { responses: SeenResponse[] })[] = [];
  readonly leases: LeaseHistory[] = [];
  readonly #leases = new Map<string, LeaseHistory>();
  readonly #refused = new Set<number>();

  /** The operation's id; its result is unknown until told. */
  begin(process: number, request: KvRequest, at: number): number {
    const id = this.operations.length;
    this.operations.push({ id, process, call: at, returned: Infinity, request, response: null });
    return id;
  }

  end(id: number, response: KvResponse, at: number): void {
    const operation = this.operations[id]!;
    operation.response = response;
    operation.returned = at;
  }

  /** It certainly did not happen. */
  refused(id: number): void {
    this.#refused.add(id);
  }

  /** The operations that may have happened. */
  possible(): Operation[] {
    return this.operations.filter((operation) => !this.#refused.has(operation.id));
  }

  watch(request: Omit<WatchRecord, "responses">): SeenResponse[] {
    const responses: SeenResponse[] = [];
    this.watches.push({ ...request, responses });
    return responses;
  }

  lease(id: string, event: LeaseEvent): void {
    let lease = this.#leases.get(id);
    if (lease === undefined) {
      lease = { id, events: [] };
      this.#leases.set(id, lease);
      this.leases.push(lease);
    }
    lease.events.push(event);
  }
}

/** One line per operation, for reports. */
export function describe({ process, call, returned, request, response }: Operation): string {
  const end = returned === Infinity ? "?" : returned.toFixed(3);
  const answer = response === null ? "unknown" : JSON.stringify(response);
  return `p${process} [${call.toFixed(3)}, ${end}] ${JSON.stringify(request)} -> ${answer}`;
}
