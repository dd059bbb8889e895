/**
 * Leader election: of three candidates one leads; when it resigns or dies, the next one does.
 *
 *   ETCD_ENDPOINTS=127.0.0.1:2379 node examples/leader-election.ts
 */
import { Election, EtcdClient, observeElection, op, Session } from "../src/client/index.ts";

const client = new EtcdClient({ endpoints: process.env["ETCD_ENDPOINTS"] ?? "127.0.0.1:2379" });
const name = "example/election";

// Anybody can watch who leads.
const end = new AbortController();
const observing = (async () => {
  for await (const leader of observeElection(client, name, { signal: end.signal })) {
    console.log("leader:", leader.string());
    if (leader.string() === "c") end.abort();
  }
})();

const sessions = [];
for (let i = 0; i < 3; i++) sessions.push(await Session.create(client, { ttlSeconds: 10 }));
const [a, b, c] = sessions.map((session) => new Election(session, name));

const leaderA = await a!.campaign("a");
const campaignB = b!.campaign("b"); // waits behind a
await leaderA.proclaim("a, and busy");

// What only a leader may do names its leadership in the transaction.
const { kv } = client;
const did = await kv.txn().if(leaderA.isLeader()).then(op.put("example/task", "done")).commit();
console.log("a did its task:", did.succeeded);
await leaderA.resign();

const leaderB = await campaignB;
const campaignC = c!.campaign("c");
await sessions[1]!.close(); // as when b's process ends: its lease goes, and its key with it
console.log("b lost its leadership:", leaderB.lost.aborted);

await campaignC;
await observing;
await kv.delete("example/task");
for (const session of sessions) await session.close();
client.close();
