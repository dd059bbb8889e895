/**
 * Optimistic updates as Kubernetes makes them: read an object, change it, and write it back only if
 * it is still at the revision that was read; else begin again from what is there now.
 *
 *   ETCD_ENDPOINTS=127.0.0.1:2379 node examples/optimistic-update.ts
 */
import { EtcdClient, KubernetesKv } from "../src/client/index.ts";

interface Deployment {
  readonly replicas: number;
  readonly labels: Readonly<Record<string, string>>;
}

const client = new EtcdClient({ endpoints: process.env["ETCD_ENDPOINTS"] ?? "127.0.0.1:2379" });
const objects = new KubernetesKv(client.kv);
const key = "/registry/deployments/default/web";

// Revision 0: the object must not exist yet.
const first: Deployment = { replicas: 0, labels: {} };
const created = await objects.optimisticPut(key, JSON.stringify(first), 0);
const again = await objects.optimisticPut(key, JSON.stringify(first), 0);
console.log("created:", created.succeeded, "and again:", again.succeeded);

let conflicts = 0;

async function update(change: (from: Deployment) => Deployment): Promise<void> {
  let { kv } = await objects.get(key);
  for (;;) {
    if (kv === null) throw new Error("the deployment is gone");
    const changed = change(kv.json() as Deployment);
    const put = await objects.optimisticPut(key, JSON.stringify(changed), kv.modRevision, {
      getOnFailure: true, // a conflict answers what is there now: no second read
    });
    if (put.succeeded) return;
    conflicts++;
    kv = put.kv;
  }
}

// Ten controllers scale at once, an eleventh labels: nobody's change is lost.
const scalers = Array.from({ length: 10 }, () =>
  update((from) => ({ ...from, replicas: from.replicas + 1 })),
);
const labeler = update((from) => ({ ...from, labels: { tier: "front" } }));
await Promise.all([...scalers, labeler]);

const { kv } = await objects.get(key);
console.log("in the end:", kv?.string());
console.log("writers began again:", conflicts > 0);
if (kv !== null) {
  const deleted = await objects.optimisticDelete(key, kv.modRevision);
  console.log("deleted:", deleted.succeeded);
}
client.close();
