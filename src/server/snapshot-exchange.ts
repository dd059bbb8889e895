// SX1  A MsgSnap leaves only in front of its file, and says what the file holds: index, term and
//      configuration come from the file's own view.
// SX2  One file is received at a time. raft sees the message only when the environment made from
//      it is whole and durable; then it says what that environment holds.
// SX3  There is one prepared environment at most. It stays until it was installed, or until raft
//      has passed over its message.

import type { Logger } from "../base/log.ts";
import type { Message } from "../raft/message.ts";
import type { RaftId } from "../raft/types.ts";
import type { ImageBackend, ImageHead } from "./backend/image.ts";
import type { PeerTransport, SnapshotSink, SnapshotSource } from "./peer/peer-port.ts";
import type { SnapshotStream, Snapshots } from "./snapshot/snapshot.ts";
import { parseConfState } from "./state.ts";

export interface SnapshotExchangeParts {
  readonly backend: Pick<ImageBackend, "importImage">;
  readonly snapshots: Pick<Snapshots, "open">;
  readonly transport: Pick<PeerTransport, "sendSnapshot">;
  /** Where the environment made from a received file waits to be installed. */
  readonly preparedPath: string;
  readonly removePrepared: () => void;
  readonly log: Logger;
  readonly appliedIndex: () => number;
  /** Gives the message to raft; `passedOver` is called if it does not lead to an install. */
  readonly step: (message: Message, passedOver: () => void) => void;
  /** The snapshot could not be sent. */
  readonly failed: (to: RaftId) => void;
}

/** Database files between members: out for raft's MsgSnap, in for a member that is far behind. */
export class SnapshotExchange {
  readonly #parts: SnapshotExchangeParts;
  /** From the first byte until the install (SX2, SX3). */
  #isReceiving = false;

  constructor(parts: SnapshotExchangeParts) {
    this.#parts = parts;
  }

  /** Sends the newest durable state in the place of what raft asked for (SX1). */
  send(message: Message): void {
    const { snapshots, transport, failed, log } = this.#parts;
    snapshots.open((error, stream) => {
      if (error !== null) {
        log.warn("failed to open a snapshot to send", {
          "remote-peer-id": message.to.toString(16),
          error: error.message,
        });
        failed(message.to);
        return;
      }
      transport.sendSnapshot(message.to, sourceOf(message, stream));
    }, true);
  }

  /** Null: refused, as another one is being received or this one brings nothing new. */
  receive(message: Message): SnapshotSink | null {
    const { appliedIndex, backend, preparedPath } = this.#parts;
    const index = message.snapshot?.metadata.index ?? 0;
    if (this.#isReceiving || index <= appliedIndex()) return null;
    this.#isReceiving = true;
    const image = backend.importImage(preparedPath);
    return {
      write: (bytes, done) => {
        image.write(bytes, done);
      },
      end: (done) => {
        image.end((error, head) => {
          const problem = error ?? checkHead(head, index);
          if (problem === null)
            this.#parts.step(withHead(message, head), this.#passedOver); // SX2
          else if (error === null) this.#passedOver();
          else this.#isReceiving = false;
          done(problem);
        });
      },
      abort: () => {
        this.#isReceiving = false;
        image.abort();
      },
    };
  }

  /** The prepared environment is in use: the next file may come. */
  installed(): void {
    this.#isReceiving = false;
  }

  readonly #passedOver = (): void => {
    this.#parts.removePrepared();
    this.#isReceiving = false;
  };
}

function sourceOf(message: Message, stream: SnapshotStream): SnapshotSource {
  const { metadata } = stream.info;
  return {
    message: { ...message, snapshot: { metadata, data: noData } },
    sizeBytes: stream.sizeBytes,
    read: (done) => {
      stream.read(done);
    },
    close: () => {
      stream.close();
    },
  };
}

/** A file behind its own message would take back entries that this member may have promised. */
function checkHead(head: ImageHead, index: number): Error | null {
  if (head.consistentIndex >= index && head.term > 0) return null;
  return new Error(
    `Cannot use the snapshot of index ${index}: its database file ends at ` +
      `index ${head.consistentIndex}, term ${head.term}`,
  );
}

function withHead(message: Message, head: ImageHead): Message {
  const { consistentIndex: index, term } = head;
  const confState = parseConfState(head.confState);
  return { ...message, snapshot: { metadata: { index, term, confState }, data: noData } };
}

const noData = new Uint8Array(0);
