// A client that takes leases, attaches keys, keeps them alive for a while, and then revokes them or
// lets them run out and looks for their end.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { setTimeout as delay } from "node:timers/promises";

import * as rpc from "../../../src/gen/rpc_pb.js";
import { Failure } from "../../server/client.ts";
import { methods } from "./connection.ts";
import { leaseKey } from "./truth.ts";
import { count, type Client } from "./workload.ts";

const keepAlivePath = "/etcdserverpb.Lease/LeaseKeepAlive";
const askedTtl = 2n;
const renewEveryMs = 400;
const renewalsMax = 10;
const lookEveryMs = 300;

export interface OpenLease {
  readonly id: string;
  readonly keys: readonly string[];
}

/** `open`: leases whose end nobody has seen. */
export async function runLeases(client: Client, open: Map<string, OpenLease>): Promise<void> {
  for (let number = 1; !client.workload.isStopped; number++) {
    const id = String(client.process * 100_000 + number);
    if (!(await grant(client, id))) {
      await delay(lookEveryMs);
      continue;
    }
    const keys: string[] = [];
    open.set(id, { id, keys });
    for (let i = client.random.below(3); i >= 0; i--) {
      const key = leaseKey(id, i);
      keys.push(key);
      await client.run({ kind: "put", key, value: `of ${id}`, lease: id });
    }
    await keepAlive(client, id, client.random.below(renewalsMax));
    if (client.random.below(3) === 0) await revoke(client, id);
    while (!client.workload.isStopped && !(await look(client, id))) await delay(lookEveryMs);
    if (!client.workload.isStopped) open.delete(id);
  }
}

async function grant(client: Client, id: string): Promise<boolean> {
  const schema = rpc.LeaseGrantRequestSchema;
  const bytes = toBinary(schema, create(schema, { ID: BigInt(id), TTL: askedTtl }));
  const call = client.now;
  const answer = await client.runRaw({ kind: "grant", lease: id }, bytes);
  if (answer === null) return false;
  const ttlMs = Number(fromBinary(rpc.LeaseGrantResponseSchema, answer.bytes).TTL) * 1_000;
  client.workload.recorder.lease(id, { kind: "granted", call, at: client.now, ttlMs });
  count(client.workload, "grant");
  return true;
}

async function revoke(client: Client, id: string): Promise<void> {
  const call = client.now;
  await client.run({ kind: "revoke", lease: id });
  client.workload.recorder.lease(id, { kind: "revoking", call, at: client.now });
}

/** Whether the lease is gone. */
export async function look(client: Client, id: string): Promise<boolean> {
  const call = client.now;
  const endpoint = client.pick();
  const connection = client.connection(endpoint);
  const answer = await connection.call(methods.timeToLive, { ID: BigInt(id) }, client.deadline());
  if (answer instanceof Failure) {
    client.shun(endpoint);
    return false;
  }
  const kind = answer.TTL < 0n ? "missing" : "present";
  client.workload.recorder.lease(id, { kind, call, at: client.now });
  if (kind === "missing") count(client.workload, "lease end");
  return kind === "missing";
}

async function keepAlive(client: Client, id: string, renewals: number): Promise<void> {
  for (let i = 0; i < renewals && !client.workload.isStopped; i++) {
    const call = client.now;
    const ttl = await renew(client, id);
    const at = client.now;
    const { recorder } = client.workload;
    if (ttl === null) recorder.lease(id, { kind: "lost", call, at });
    else if (ttl <= 0) recorder.lease(id, { kind: "missing", call, at });
    else recorder.lease(id, { kind: "renewed", call, at, ttlMs: ttl * 1_000 });
    if (ttl !== null && ttl <= 0) return;
    if (ttl !== null) count(client.workload, "renewal");
    await delay(renewEveryMs);
  }
}

/** Seconds to live; null without an answer. */
function renew(client: Client, id: string): Promise<number | null> {
  const endpoint = client.pick();
  const stream = client.connection(endpoint).stream(keepAlivePath);
  return new Promise((resolve) => {
    const end = (ttl: number | null): void => {
      clearTimeout(timer);
      stream.cancel();
      if (ttl === null) client.shun(endpoint);
      resolve(ttl);
    };
    const timer = setTimeout(() => {
      end(null);
    }, client.deadline());
    stream.on("data", (bytes: Buffer) => {
      end(Number(fromBinary(rpc.LeaseKeepAliveResponseSchema, bytes).TTL));
    });
    stream.on("error", () => {
      end(null);
    });
    stream.on("end", () => {
      end(null);
    });
    const schema = rpc.LeaseKeepAliveRequestSchema;
    stream.write(Buffer.from(toBinary(schema, create(schema, { ID: BigInt(id) }))));
  });
}
