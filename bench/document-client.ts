// The part of docs/benchmarks.md about the client.
import { watchKinds, type ClientWatches, type Delivery } from "./client-watch.ts";
import { clientKinds, type ClientCalls, type ClientKind } from "./client-calls.ts";
import type { CtlStart } from "./ctl-start.ts";
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

function deliveryRows(what: string, measured: ClientWatches["live"]): string[][] {
  return watchKinds.map((kind) => {
    const { perSecond, cpuUs }: Delivery = measured[kind];
    const ratio = (perSecond / measured.etcd3.perSecond).toFixed(2);
    return [what, names[kind], short(perSecond), ratio, short(cpuUs)];
  });
}

function watchParts(all: ClientWatches): string[] {
  const mebibytes = (bytes: number): string => `${short(bytes / 1024 ** 2)} MiB`;
  const { watches, watchesGrownBytes, leases, renewals } = all;
  return [
    "Watches of one process, interleaved; the goal is three times the events of npm etcd3. History " +
      "is read by ten watches at a time; live changes are made by one writer to a few keys of a " +
      "prefix that all watches watch, so their number is also bounded by what is written.",
    table(
      ["watches", "client", "events per second", "ratio to npm etcd3", "client CPU us per event"],
      [
        ...deliveryRows("history", all.history),
        ...deliveryRows(`${all.liveWatches.toLocaleString("en-US")} watches live`, all.live),
      ],
    ),
    `${watches.toLocaleString("en-US")} watches of one client take ` +
      `${mebibytes(watchesGrownBytes.quorate)} more memory (npm etcd3: ` +
      `${mebibytes(watchesGrownBytes.etcd3)}; the goal is 50 MiB). ` +
      `${leases.toLocaleString("en-US")} leases kept alive over one stream for three TTLs: ` +
      `${short(renewals.perSecond)} renewals per second, ${short(renewals.cpuUs)} us of processor ` +
      `time each, ${all.leasesLost} lost, ${mebibytes(all.leasesGrownBytes)} more memory.`,
  ];
}

function startParts({ nodeMs, ctlMs, etcdctlMs }: CtlStart): string[] {
  const ratio = (ctlMs / nodeMs).toFixed(2);
  return [
    `One put from a shell, from start to end, median: Node alone that does nothing ${short(nodeMs)} ` +
      `ms, \`quorate ctl put\` ${short(ctlMs)} ms (${ratio} of Node alone; the goal is 2), etcdctl ` +
      `${short(etcdctlMs)} ms.`,
  ];
}

export function clientParts({ clientCalls, clientWatches, ctlStart }: Results): string[] {
  const starts = ctlStart === undefined ? [] : startParts(ctlStart);
  const watches = [...(clientWatches === undefined ? [] : watchParts(clientWatches)), ...starts];
  if (clientCalls === undefined) return watches;
  const head = ["calls", "client", "per second", "ratio to npm etcd3", "client CPU us"];
  return [
    "## The client",
    "Unary calls of one process over one connection against the same Quorate member, interleaved. " +
      "Processor time and allocated memory are the client's own, per call; the goal is " +
      `${callsGoal.toFixed(1)} times the calls of npm etcd3.`,
    table([...head, "allocated KiB", "p50 / p99 us"], clientCalls.flatMap(callRows)),
    ...watches,
  ];
}
