// The measured cells and the goals of the issues "the server" and "the cluster" against Go etcd in
// the same run.

export interface Cell {
  readonly op: string;
  readonly conns: number;
  readonly clients: number;
  /** What one operation is. */
  readonly unit: "call" | "event" | "key";
}

const shapes: readonly (readonly [conns: number, clients: number])[] = [
  [1, 1],
  [8, 8],
  [10, 100],
  [100, 1000],
];

const inShapes = (op: string, wanted = shapes): Cell[] =>
  wanted.map(([conns, clients]) => ({ op, conns, clients, unit: "call" }));

export const cells: readonly Cell[] = [
  ...inShapes("put"),
  ...inShapes("get"),
  ...inShapes("get-serializable"),
  ...inShapes("txn"),
  { op: "watch", conns: 10, clients: 4, unit: "event" },
  { op: "range", conns: 4, clients: 4, unit: "key" },
  ...inShapes("keepalive"),
];

export function cellName(cell: { op: string; conns: number; clients: number }): string {
  return `${cell.op} ${cell.conns}/${cell.clients}`;
}

export type Figure = "perSecond" | "cpuUs" | "p50Us" | "p99Us";

export interface Goal {
  readonly text: string;
  /** Name of the measurement the goal is about. */
  readonly of: string;
  readonly figure: Figure;
  /** Quorate's figure divided by Go etcd's: at most or at least this. */
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** A cluster of three; processor time is that of all members. */
const clusterGoals: readonly Goal[] = [
  {
    text: "Three members, put",
    ...{ of: "cluster put, leader 100/1000", figure: "perSecond", atLeast: 1.6 },
  },
  {
    text: "Three members, CPU per put over all",
    ...{ of: "cluster put, leader 100/1000", figure: "cpuUs", atMost: 0.35 },
  },
  {
    text: "Three members, get through a follower",
    ...{ of: "cluster get, follower 100/1000", figure: "perSecond", atLeast: 1.5 },
  },
];

export const goals: readonly Goal[] = [
  { text: "CPU per put", of: "put 100/1000", figure: "cpuUs", atMost: 0.28 },
  { text: "CPU per get", of: "get 100/1000", figure: "cpuUs", atMost: 0.2 },
  { text: "CPU per txn", of: "txn 100/1000", figure: "cpuUs", atMost: 0.22 },
  { text: "CPU per watcher-event", of: "watch 10/4", figure: "cpuUs", atMost: 0.3 },
  { text: "CPU per key of a 20,000-key range", of: "range 4/4", figure: "cpuUs", atMost: 0.2 },
  { text: "CPU per lease keepalive", of: "keepalive 100/1000", figure: "cpuUs", atMost: 0.25 },
  { text: "put, Go client", of: "put 100/1000", figure: "perSecond", atLeast: 1.8 },
  { text: "get, Go client", of: "get 100/1000", figure: "perSecond", atLeast: 1.8 },
  { text: "txn, Go client", of: "txn 100/1000", figure: "perSecond", atLeast: 1.8 },
  { text: "20,000-key range, Go client", of: "range 4/4", figure: "perSecond", atLeast: 2.2 },
  { text: "put, h2load", of: "h2load put 10/100", figure: "perSecond", atLeast: 2.5 },
  { text: "get, h2load", of: "h2load get 10/100", figure: "perSecond", atLeast: 2.5 },
  { text: "put, one client", of: "put 1/1", figure: "perSecond", atLeast: 1.3 },
  { text: "get, one client", of: "get 1/1", figure: "perSecond", atLeast: 1.9 },
  ...clusterGoals,
];
