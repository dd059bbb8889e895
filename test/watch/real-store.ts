import { fromBinaryString } from "../../src/base/bytes.ts";
import type { EventListener } from "../../src/server/mvcc/types.ts";
import type { TrueEvent } from "../model/watch-rules.ts";
import { plainKv, Rig } from "../mvcc/rig.ts";
import type { Op } from "./fake-store.ts";

/** The store on a memory backend, with the truth kept beside it. */
export class RealStore {
  readonly rig = new Rig();
  readonly source = this.rig.store;
  readonly turn = this.rig.hand;
  readonly truth: TrueEvent[] = [];
  readonly readKv = plainKv;
  private readonly values = new Map<string, string>();
  private steps = 0;

  listen(listener: EventListener): void {
    this.rig.store.setListener(listener);
  }

  /** Repeated keys are left out, as etcd refuses them. */
  txn(ops: readonly Op[]): void {
    const txn = this.rig.store.begin();
    const revision = this.source.currentRevision + 1;
    const done = new Set<string>();
    for (const { key, value } of ops) {
      if (done.has(key)) continue;
      done.add(key);
      const prev = this.values.get(key) ?? null;
      if (value === null) {
        const deleted = txn.deleteRange(fromBinaryString(key), new Uint8Array(0));
        if (deleted === 0) continue;
        this.values.delete(key);
      } else {
        txn.put(fromBinaryString(key), fromBinaryString(value), 0n);
        this.values.set(key, value);
      }
      this.truth.push({ revision, key, isDelete: value === null, value: value ?? "", prev });
    }
    this.rig.entry(txn.end());
  }

  compact(revision: number): void {
    this.rig.compact(revision);
  }

  /** One turn; now and then time passes and the backend commits. */
  step(): boolean {
    const busy = this.turn.turn();
    if (this.steps++ % 3 > 0) return busy;
    this.turn.advance(40);
    return this.rig.backend.flush() || busy;
  }
}
