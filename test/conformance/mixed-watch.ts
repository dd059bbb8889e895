// A watch on one member from the first revision on, which goes on where it was when its member
// comes back.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ClientDuplexStream } from "@grpc/grpc-js";

import { toBinaryString } from "../../src/base/bytes.ts";
import { Event_EventType } from "../../src/gen/kv_pb.js";
import { WatchRequestSchema, WatchResponseSchema } from "../../src/gen/rpc_pb.js";
import type { ClusterMember } from "../e2e/cluster.ts";
import { TestClient } from "../server/client.ts";

const reopenMs = 50;
const everything = { key: new Uint8Array([0]), rangeEnd: new Uint8Array([0]) };

export interface Seen {
  readonly revision: number;
  readonly key: string;
  /** null: deleted. */
  readonly value: string | null;
}

export class MemberWatch {
  readonly member: ClusterMember;
  readonly seen: Seen[] = [];
  readonly problems: string[] = [];
  readonly firstRevision: number;
  #lastRevision: number;
  #client: TestClient | null = null;
  #stream: ClientDuplexStream<Buffer, Buffer> | null = null;
  #isClosed = false;

  constructor(member: ClusterMember, firstRevision: number) {
    this.member = member;
    this.firstRevision = firstRevision;
    this.#lastRevision = firstRevision - 1;
    this.#open();
  }

  get isOpen(): boolean {
    return !this.#isClosed;
  }

  /** Everything up to here was seen. */
  get lastRevision(): number {
    return this.#lastRevision;
  }

  close(): void {
    this.#isClosed = true;
    this.#stream?.cancel();
    this.#client?.close();
  }

  #open(): void {
    this.#client = new TestClient(this.member.endpoint);
    const stream = this.#client.stream("/etcdserverpb.Watch/Watch");
    this.#stream = stream;
    stream.on("error", () => undefined); // its status follows
    stream.on("status", () => {
      this.#reopen();
    });
    stream.on("data", (bytes: Buffer) => {
      this.#take(bytes);
    });
    const value = { ...everything, startRevision: BigInt(this.#lastRevision + 1) };
    const request = create(WatchRequestSchema, {
      requestUnion: { case: "createRequest", value },
    });
    stream.write(Buffer.from(toBinary(WatchRequestSchema, request)));
  }

  #reopen(): void {
    this.#client?.close();
    if (this.#isClosed) return;
    setTimeout(() => {
      if (!this.#isClosed) this.#open();
    }, reopenMs);
  }

  #take(bytes: Uint8Array): void {
    const { events, canceled, cancelReason, compactRevision } = fromBinary(
      WatchResponseSchema,
      bytes,
    );
    if (canceled) {
      const why = `${cancelReason}, compacted ${String(compactRevision)}`;
      this.problems.push(`canceled at ${String(this.#lastRevision)}: ${why}`);
      return;
    }
    // One revision does not spread over answers: the first of this one is a new revision.
    let last = this.#lastRevision + 1;
    for (const { type, kv } of events) {
      const revision = Number(kv!.modRevision);
      if (revision < last) this.problems.push(`${String(revision)} came after ${String(last)}`);
      last = revision;
      const isDelete = type === Event_EventType.DELETE;
      const value = isDelete ? null : toBinaryString(kv!.value);
      this.seen.push({ revision, key: toBinaryString(kv!.key), value });
    }
    if (events.length > 0) this.#lastRevision = last;
  }
}
