/**
 * Mirrors all keys below a prefix from one cluster to another, first what is there, then every
 * change: between Go etcd and Quorate, in either direction.
 *
 *   SOURCE_ENDPOINTS=10.0.0.1:2379 TARGET_ENDPOINTS=10.0.0.2:2379 \
 *     PREFIX=app/ UNTIL=app/end node examples/mirror.ts
 *
 * It ends when the key named by UNTIL was mirrored; without it, never.
 */
import { EtcdClient, MirrorSyncer, op, type Op, type WatchEvent } from "../src/client/index.ts";

const { env } = process;
const source = new EtcdClient({ endpoints: env["SOURCE_ENDPOINTS"] ?? "127.0.0.1:2379" });
const target = new EtcdClient({ endpoints: env["TARGET_ENDPOINTS"] ?? "127.0.0.1:22379" });
const prefix = env["PREFIX"] ?? "";
const until = env["UNTIL"];

const syncer = new MirrorSyncer(source, prefix);

/** A transaction holds 128 operations, unless the target was told otherwise. */
const opsMax = 128;

async function write(ops: readonly Op[]): Promise<void> {
  for (let i = 0; i < ops.length; i += opsMax) {
    const some = ops.slice(i, i + opsMax);
    await target.kv
      .txn()
      .then(...some)
      .commit();
  }
}

// What is there, all of one revision.
let copied = 0;
let batch: Op[] = [];
for await (const { key, value } of syncer.base()) {
  copied++;
  batch.push(op.put(key, value));
  if (batch.length < opsMax) continue;
  await write(batch);
  batch = [];
}
await write(batch);
console.log("copied:", copied);

/**
 * One revision is one transaction (if it is not larger than one may be), so the target never shows
 * half of a change.
 */
function opsOf(events: readonly WatchEvent[]): Op[][] {
  const revisions = new Map<number, Op[]>();
  for (const { type, kv } of events) {
    const ops = revisions.get(kv.modRevision) ?? [];
    revisions.set(kv.modRevision, ops);
    ops.push(type === "put" ? op.put(kv.key, kv.value) : op.delete(kv.key));
  }
  return [...revisions.values()];
}

let changes = 0;
for await (const { events } of syncer.updates()) {
  for (const ops of opsOf(events)) await write(ops);
  changes += events.length;
  if (until !== undefined && events.some(({ kv }) => kv.keyString() === until)) break;
}
console.log("changes:", changes);
source.close();
target.close();
