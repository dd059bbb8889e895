// The part of docs/benchmarks.md about the client.
import { clientKinds, type ClientCalls, type ClientKind } from "./client-calls.ts";
import type { Results } from "./document.ts";
import { short, table } from "./document-text.ts";

const callsGoal = 1.5;

const names: Readonly<Record<ClientKind, string>> = {
  etcd3: "npm etcd3",
  quorate: "Quorate's client",
  clientv3: "Go clientv3",
};

function callRows({ op, clients, measured, bytesPerCall }: ClientCalls): string[][] {
  return clientKinds.map((kind) => {
    const { perSecond, cpuUs, p50Us, p99Us } = measured[kind];
    const bytes = kind === "clientv3" ? "-" : short(bytesPerCall[kind] / 1024);
    const ratio = (perSecond / measured.etcd3.perSecond).toFixed(2);
    const call = `${op}, ${clients} at a time`;
    const latencies = `${short(p50Us)} / ${short(p99Us)}`;
    return [call, names[kind], short(perSecond), ratio, short(cpuUs), bytes, latencies];
  });
}

export function clientParts({ clientCalls }: Results): string[] {
  if (clientCalls === undefined) return [];
  const head = ["calls", "client", "per second", "ratio to npm etcd3", "client CPU us"];
  return [
    "## The client",
    "Unary calls of one process over one connection against the same Quorate member, interleaved. " +
      "Processor time and allocated memory are the client's own, per call; the goal is " +
      `${callsGoal.toFixed(1)} times the calls of npm etcd3.`,
    table([...head, "allocated KiB", "p50 / p99 us"], clientCalls.flatMap(callRows)),
  ];
}
