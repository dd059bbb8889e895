// A TCP proxy in front of every member's peer port: the network between members, to be broken.
//
// PX1  A rule belongs to a direction: what a member sends to another one, whoever of both dialled.
// PX2  Bytes are never lost or reordered within a connection: they are held, late, or the
//      connection ends. A held connection goes on where it was once the rule is gone.
// PX3  A direction keeps heldBytesMax in memory at most; then its source is no longer read.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";

import type { Random } from "../../src/base/ports.ts";

const heldBytesMax = 1 << 20;
const hexRadix = 16;

export interface LinkRule {
  /** "hold": nothing arrives; "reset": connections between the two end, and new ones, too. */
  readonly cut: "none" | "hold" | "reset";
  readonly delayMs: number;
  /** Evenly between none and this in addition to delayMs. */
  readonly jitterMs: number;
  /** Chance per piece of data that its connection ends, in thousand. */
  readonly resetPerMille: number;
}

const whole: LinkRule = { cut: "none", delayMs: 0, jitterMs: 0, resetPerMille: 0 };

interface Node {
  readonly name: string;
  readonly server: Server;
  readonly port: number;
  readonly pid: () => number;
  target: number;
}

/** All peer connections of one cluster. */
export class PeerNetwork {
  readonly #random: Random;
  readonly #nodes = new Map<string, Node>();
  readonly #rules = new Map<string, LinkRule>();
  readonly #connections = new Set<Connection>();
  /** How many times a rule ended a connection: shows that a fault was felt. */
  resets = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Listens for a member; the port that its peers are told. `pid`: of its running process. */
  async add(name: string, pid: () => number): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#accept(name, socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    this.#nodes.set(name, { name, server, port: address.port, pid, target: 0 });
    return address.port;
  }

  /** Where the member's process listens. */
  setTarget(name: string, port: number): void {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`no member ${name}`);
    node.target = port;
  }

  rule(from: string, to: string): LinkRule {
    return this.#rules.get(`${from} ${to}`) ?? whole;
  }

  set(from: string, to: string, rule: Partial<LinkRule>): void {
    this.#rules.set(`${from} ${to}`, { ...whole, ...rule });
    this.#changed();
  }

  /** No rules any more. */
  heal(): void {
    this.#rules.clear();
    this.#changed();
  }

  close(): void {
    for (const node of this.#nodes.values()) node.server.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #changed(): void {
    for (const connection of this.#connections) connection.changed();
  }

  #accept(to: string, socket: Socket): void {
    socket.on("error", () => undefined); // shows as a close
    const node = this.#nodes.get(to);
    const from = this.#dialler(socket);
    if (node === undefined || from === null || this.#isReset(from, to)) {
      socket.resetAndDestroy();
      return;
    }
    const upstream = connect({ port: node.target, host: "127.0.0.1", allowHalfOpen: true });
    upstream.setNoDelay(true);
    const connection = new Connection({
      ...{ dialler: socket, acceptor: upstream, random: this.#random },
      forth: () => this.rule(from, to),
      back: () => this.rule(to, from),
      reset: () => {
        this.resets++;
      },
    });
    this.#connections.add(connection);
    const over = (): void => {
      this.#connections.delete(connection);
      connection.destroy();
    };
    socket.on("close", over);
    upstream.on("close", over);
    upstream.on("error", () => undefined); // shows as a close
  }

  #isReset(a: string, b: string): boolean {
    return this.rule(a, b).cut === "reset" || this.rule(b, a).cut === "reset";
  }

  /** Whose process holds the other end; null: nobody's that lives. */
  #dialler(socket: Socket): string | null {
    const inode = inodeOf(socket.remotePort ?? 0, socket.localPort ?? 0);
    if (inode === null) return null;
    for (const { name, pid } of this.#nodes.values()) if (holds(pid(), inode)) return name;
    return null;
  }
}

/** The inode of the loopback connection from a port to a port, as the dialling side has it. */
function inodeOf(from: number, to: number): string | null {
  const hex = (port: number): string => port.toString(hexRadix).toUpperCase().padStart(4, "0");
  const wanted = ` 0100007F:${hex(from)} 0100007F:${hex(to)} `;
  const table = readFileSync("/proc/net/tcp", "latin1");
  const at = table.indexOf(wanted);
  if (at === -1) return null;
  const fields = table.slice(at, table.indexOf("\n", at)).trim().split(/\s+/);
  return fields[8] ?? null; // local, remote, state, queues, timer, retransmits, uid, timeout, inode
}

function holds(pid: number, inode: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((fd) => {
      try {
        return readlinkSync(`${folder}/${fd}`) === `socket:[${inode}]`;
      } catch {
        return false; // closed meanwhile
      }
    });
  } catch {
    return false; // the process has ended
  }
}

interface ConnectionParts {
  readonly dialler: Socket;
  readonly acceptor: Socket;
  readonly random: Random;
  readonly forth: () => LinkRule;
  readonly back: () => LinkRule;
  readonly reset: () => void;
}

class Connection {
  readonly #parts: ConnectionParts;
  readonly #flows: readonly Flow[];

  constructor(parts: ConnectionParts) {
    const { dialler, acceptor, random, forth, back } = parts;
    this.#parts = parts;
    const reset = (): void => {
      parts.reset();
      this.destroy();
    };
    this.#flows = [
      new Flow({ source: dialler, sink: acceptor, rule: forth, random, reset }),
      new Flow({ source: acceptor, sink: dialler, rule: back, random, reset }),
    ];
  }

  changed(): void {
    const { forth, back, reset } = this.#parts;
    if (forth().cut === "reset" || back().cut === "reset") {
      reset();
      this.destroy();
    } else for (const flow of this.#flows) flow.pump();
  }

  destroy(): void {
    for (const flow of this.#flows) flow.stop();
    this.#parts.dialler.destroy();
    this.#parts.acceptor.destroy();
  }
}

interface FlowParts {
  readonly source: Socket;
  readonly sink: Socket;
  readonly rule: () => LinkRule;
  readonly random: Random;
  readonly reset: () => void;
}

/** One direction of a connection. */
class Flow {
  readonly #parts: FlowParts;
  readonly #queue: { readonly due: number; readonly chunk: Uint8Array }[] = [];
  #bytes = 0;
  #lastDue = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isEnded = false;

  constructor(parts: FlowParts) {
    this.#parts = parts;
    const { source, sink } = parts;
    source.on("data", (chunk: Uint8Array) => {
      this.#take(chunk);
    });
    source.on("end", () => {
      this.#isEnded = true;
      this.pump();
    });
    sink.on("drain", () => {
      this.pump();
    });
  }

  #take(chunk: Uint8Array): void {
    const { rule, random, source } = this.#parts;
    const { delayMs, jitterMs } = rule();
    const late = delayMs + (jitterMs > 0 ? random.below(jitterMs + 1) : 0);
    this.#lastDue = Math.max(this.#lastDue, performance.now() + late);
    this.#queue.push({ due: this.#lastDue, chunk });
    this.#bytes += chunk.length;
    if (this.#bytes > heldBytesMax) source.pause(); // PX3
    this.pump();
  }

  /** Passes on what is due. */
  pump(): void {
    const { source, sink, rule, random, reset } = this.#parts;
    if (this.#timer !== null || sink.destroyed) return;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const { cut, resetPerMille } = rule();
      if (cut !== "none") return; // PX2: until the rules change
      const wait = first.due - performance.now();
      if (wait > 0) {
        this.#sleep(wait);
        return;
      }
      if (resetPerMille > 0 && random.below(1000) < resetPerMille) {
        reset();
        return;
      }
      this.#queue.shift();
      this.#bytes -= first.chunk.length;
      if (!sink.write(first.chunk)) break;
    }
    if (this.#bytes <= heldBytesMax) source.resume();
    if (this.#isEnded && this.#queue.length === 0) sink.end();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #sleep(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.pump();
    }, ms);
  }
}
