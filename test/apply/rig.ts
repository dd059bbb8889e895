/** An applier over the real store and lessor, fed with entries as protobuf-es writes them. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { utf8 } from "../../src/base/bytes.ts";
import { MetricRegistry } from "../../src/base/metrics.ts";
import { InternalRaftRequestSchema } from "../../src/gen/raft_internal_pb.js";
import type * as pb from "../../src/gen/rpc_pb.js";
import { AlarmStore } from "../../src/server/apply/alarm.ts";
import { Applier } from "../../src/server/apply/applier.ts";
import { ApplyTimes } from "../../src/server/apply/apply-times.ts";
import { Quota } from "../../src/server/apply/quota.ts";
import { BackendWriter } from "../../src/server/backend/batcher.ts";
import { Lessor } from "../../src/server/lease/lessor.ts";
import { Cluster } from "../../src/server/member/cluster.ts";
import { storeLimits } from "../../src/server/mvcc/limits.ts";
import { KvStore } from "../../src/server/mvcc/store.ts";
import { MemoryBackend } from "../mvcc/memory-backend.ts";
import { checksum, Hand, plainKv, silent } from "../mvcc/rig.ts";

export type Request = MessageInitShape<typeof InternalRaftRequestSchema>;

export interface Outcome {
  readonly error: string | null;
  readonly revision: number;
  /** The answer behind its header. */
  readonly body: Uint8Array;
}

const localHigh = 7;

export class ApplyRig {
  readonly hand = new Hand();
  readonly metrics = new MetricRegistry();
  readonly applySeconds = this.metrics.histograms("apply", "", [1], ["version", "op", "success"]);
  readonly writer: BackendWriter;
  readonly lessor: Lessor;
  readonly store: KvStore;
  readonly alarms: AlarmStore;
  readonly cluster: Cluster;
  readonly applier: Applier;
  usedBytes = 0;
  noSpaceCount = 0;
  /** What the waiters heard, in order. */
  readonly outcomes: Outcome[] = [];
  readonly #awaited = new Set<number>();
  #lastId = 0;

  constructor(quotaBytes = 0) {
    const { hand } = this;
    const fail = (error: Error): never => {
      throw error;
    };
    this.writer = new BackendWriter({
      ...{ backend: new MemoryBackend(), clock: hand, turn: hand },
      fail,
    });
    const { writer } = this;
    this.lessor = new Lessor({
      ...{ clock: hand, turn: hand, rows: writer, minTtlSeconds: 2 },
      proposeCheckpoints: () => undefined,
      proposeRevoke: () => undefined,
    });
    this.store = new KvStore({
      ...{ writer, clock: hand, turn: hand, checksum, leases: this.lessor, log: silent },
      ...{ hashSeed: 7, limits: storeLimits },
    });
    this.store.restore();
    this.alarms = new AlarmStore(writer);
    this.cluster = new Cluster({ clusterId: 1n, localId: 2n }, writer, {
      ...{ log: silent, learnersMax: 1 },
    });
    this.applier = new Applier({
      store: this.store,
      lessor: this.lessor,
      cluster: this.cluster,
      alarms: this.alarms,
      quota: new Quota(quotaBytes, () => this.usedBytes),
      waiters: {
        idHigh: localHigh,
        get: (idLow) => (this.#awaited.has(idLow) ? {} : undefined),
        applied: (idLow, { error, revision, body }) => {
          this.outcomes.push({ error: error?.message ?? null, revision, body: body.copy() });
          return this.#awaited.delete(idLow);
        },
      },
      times: new ApplyTimes(hand, this.applySeconds),
      onNoSpace: () => this.noSpaceCount++,
    });
  }

  /** Applies a request that somebody here waits for. */
  run(request: Request): Outcome {
    const id = ++this.#lastId;
    this.#awaited.add(id);
    this.entry(request, (BigInt(localHigh) << 48n) | BigInt(id));
    return this.outcomes.at(-1)!;
  }

  /** Applies a request under this id, whoever waits. */
  entry(request: Request, id: bigint): void {
    const message = create(InternalRaftRequestSchema, {
      ...request,
      header: { ID: id },
    } as Request);
    this.applier.apply(toBinary(InternalRaftRequestSchema, message));
  }

  put(
    key: string,
    value: string,
    more: MessageInitShape<typeof pb.PutRequestSchema> = {},
  ): Outcome {
    return this.run({ put: { key: utf8(key), value: utf8(value), ...more } as pb.PutRequest });
  }

  /** Value of a key, or null. */
  value(key: string): string | null {
    const txn = this.store.begin();
    const kv = txn.keyValue(utf8(key));
    txn.end();
    return kv === null ? null : plainKv(kv).value;
  }
}
