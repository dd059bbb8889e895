import { EtcdError } from "../../base/etcd-errors.ts";
import { grpcCode } from "../../base/grpc-code.ts";
import type { Logger } from "../../base/log.ts";
import { utf8 } from "../../base/bytes.ts";
import { int64Field } from "../../codec/kv.ts";
import { Reader } from "../../codec/reader.ts";
import { Writer } from "../../codec/writer.ts";
import type { GrpcCall, GrpcMethod } from "../../http2/types.ts";
import type { Snapshots, SnapshotStream } from "../snapshot/snapshot.ts";
import type { Answers } from "./answers.ts";

export interface SnapshotParts {
  readonly snapshots: Snapshots;
  readonly answers: Answers;
  readonly log: Logger;
}

/** As etcd cuts the file. */
const blobBytesMax = 32 * 1024;
const tagRemaining = 0x10;
const tagBlob = 0x1a;
const tagVersion = 0x22;

/**
 * Maintenance.Snapshot: the database file in blobs, then its SHA-256. Taken from the backend as the
 * client takes it from here.
 */
export function createSnapshotStream(parts: SnapshotParts): GrpcMethod {
  return {
    path: "/etcdserverpb.Maintenance/Snapshot",
    clientStreaming: false,
    serverStreaming: true,
    message(call, bytes) {
      const r = new Reader(bytes);
      while (r.next()) r.skip(); // malformed bytes are refused
      const answer = new SnapshotAnswer(call, parts);
      call.state = answer;
      answer.open();
    },
    writable(call) {
      if (call.state instanceof SnapshotAnswer) call.state.run();
    },
    cancelled(call) {
      if (call.state instanceof SnapshotAnswer) call.state.end();
    },
  };
}

class SnapshotAnswer {
  readonly #call: GrpcCall;
  readonly #parts: SnapshotParts;
  readonly #out = new Writer(64);
  #stream: SnapshotStream | null = null;
  #version: Uint8Array = new Uint8Array(0);
  #remaining = 0;
  /** What is being sent, and how much of it was. */
  #piece: Uint8Array | null = null;
  #sent = 0;
  #isReading = false;

  constructor(call: GrpcCall, parts: SnapshotParts) {
    this.#call = call;
    this.#parts = parts;
  }

  open(): void {
    this.#parts.snapshots.open((error, stream) => {
      if (error !== null) {
        this.#fail(error);
        return;
      }
      this.#stream = stream;
      if (this.#call.done) {
        this.end();
        return;
      }
      const { storageVersion } = stream.info;
      this.#version = utf8(storageVersion);
      this.#remaining = stream.sizeBytes;
      this.#parts.log.info("sending database snapshot to client", {
        "total-bytes": stream.sizeBytes,
        "storage-version": storageVersion,
      });
      this.run();
    });
  }

  /** Sends until the client's window is full, the piece is used up, or the end. */
  run(): void {
    if (this.#isReading || this.#stream === null || this.#call.done) return;
    const piece = this.#piece;
    while (piece !== null && this.#sent < piece.length) {
      const blob = piece.subarray(this.#sent, this.#sent + blobBytesMax);
      this.#sent += blob.length;
      this.#remaining -= blob.length;
      if (!this.#send(blob)) return;
    }
    this.#piece = null;
    this.#read(this.#stream);
  }

  #read(stream: SnapshotStream): void {
    this.#isReading = true;
    stream.read((error, piece) => {
      this.#isReading = false;
      if (error !== null) {
        this.#fail(error);
      } else if (piece === null) {
        this.#finish(stream);
      } else {
        this.#piece = piece;
        this.#sent = 0;
        this.run();
      }
    });
  }

  #finish(stream: SnapshotStream): void {
    const { log } = this.#parts;
    const checksum = stream.sha256 ?? new Uint8Array(0);
    log.info("sending database sha256 checksum to client", {
      "total-bytes": stream.sizeBytes,
      "checksum-size": checksum.length,
    });
    this.#send(checksum);
    this.#call.finish(grpcCode.ok, "");
    log.info("successfully sent database snapshot to client", {
      "total-bytes": stream.sizeBytes,
      "storage-version": stream.info.storageVersion,
    });
    this.end();
  }

  /** The blob goes by reference. False: wait until the client has read. */
  #send(blob: Uint8Array): boolean {
    const out = this.#out;
    out.reset();
    int64Field(out, tagRemaining, this.#remaining);
    out.byte(tagBlob);
    out.varint(blob.length);
    const head = out.copy();
    out.reset();
    if (this.#version.length > 0) out.bytesField(tagVersion, this.#version);
    const tail = out.copy();
    const total = head.length + blob.length + tail.length;
    return this.#call.sendParts([head, blob, tail], total);
  }

  #fail(error: Error): void {
    this.#parts.log.warn("failed to send the database snapshot", { error: error.message });
    this.#parts.answers.fail(this.#call, new EtcdError(grpcCode.unknown, error.message));
    this.end();
  }

  /** The view is let go of. */
  end(): void {
    this.#piece = null;
    this.#stream?.close();
  }
}
