import type { RaftId } from "../../../src/raft/types.ts";
import type { SnapshotSink, SnapshotSource } from "../../../src/server/peer/peer-port.ts";
import type { Life } from "../scheduler.ts";
import { channelBulk, type Endpoint } from "./link.ts";
import type { Network } from "./network.ts";

/** A database file on its way from one member to another, piece by piece. */
export function sendSnapshot(
  network: Network,
  from: Endpoint,
  to: RaftId,
  source: SnapshotSource,
): void {
  new Transfer(network, from, to, source).start();
}

class Transfer {
  readonly #network: Network;
  readonly #from: Endpoint;
  readonly #to: RaftId;
  readonly #source: SnapshotSource;
  #receiver: Endpoint | null = null;
  #sink: SnapshotSink | null = null;
  #isOver = false;

  constructor(network: Network, from: Endpoint, to: RaftId, source: SnapshotSource) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
    this.#source = source;
  }

  get lives(): Life[] {
    return [this.#from.life, ...(this.#receiver === null ? [] : [this.#receiver.life])];
  }

  fail(): void {
    this.#finish(false);
  }

  start(): void {
    this.#network.transfers.add(this);
    const { mark } = this.#network.parts;
    mark("snapshot.sent");
    this.#atReceiver((receiver) => {
      this.#receiver = receiver;
      this.#sink = receiver.events.receiveSnapshot(this.#source.message);
      if (this.#sink === null) {
        mark("snapshot.refused");
        this.#finish(false);
      } else this.#atSender(() => this.#next());
    });
  }

  #next(): void {
    this.#source.read((error, piece) => {
      if (error !== null) this.#finish(false);
      else if (piece === null) {
        this.#atReceiver(() => {
          this.#sink!.end((problem) => {
            if (problem === null) this.#network.parts.mark("snapshot.received");
            this.#sink = null;
            this.#atSender(() => this.#finish(problem === null));
          });
        });
      } else {
        this.#network.parts.trace.bytes(piece);
        this.#atReceiver(() => {
          this.#sink!.write(piece, (problem) => {
            if (problem === null) this.#atSender(() => this.#next());
            else this.#finish(false);
          });
        });
      }
    });
  }

  /** Runs at the other side after the way there; if it is not the same process any more, ends. */
  #atReceiver(run: (receiver: Endpoint) => void): void {
    const { scheduler, world } = this.#network.parts;
    const link = this.#network.link(this.#from.id, this.#to);
    scheduler.after(this.#network.arrival(link, channelBulk) - scheduler.now, world, () => {
      const receiver = this.#network.endpoint(this.#to);
      const isSame = this.#receiver === null || this.#receiver === receiver;
      if (receiver === null || !isSame || link.isCut || !this.#from.life.isAlive) {
        this.#finish(false);
        return;
      }
      this.#receiver = receiver; // from now on its end is this transfer's, too
      scheduler.after(0, receiver.life, () => {
        run(receiver);
      });
    });
  }

  #atSender(run: () => void): void {
    const { scheduler, world } = this.#network.parts;
    const link = this.#network.link(this.#to, this.#from.id);
    scheduler.after(this.#network.arrival(link, channelBulk) - scheduler.now, world, () => {
      if (link.isCut || this.#receiver?.life.isAlive !== true) {
        this.#finish(false);
        return;
      }
      scheduler.after(0, this.#from.life, run);
    });
  }

  #finish(isDelivered: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#network.transfers.delete(this);
    const { scheduler, mark } = this.#network.parts;
    if (!isDelivered) mark("snapshot.broken");
    const [sink, receiver] = [this.#sink, this.#receiver];
    if (sink !== null && receiver !== null) {
      scheduler.after(0, receiver.life, () => {
        sink.abort();
      });
    }
    scheduler.after(0, this.#from.life, () => {
      this.#source.close();
      this.#from.events.snapshotSent(this.#to, isDelivered);
    });
  }
}
