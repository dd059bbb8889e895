/** Watches on a real server, recorded for the watch rules. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ClientDuplexStream } from "@grpc/grpc-js";

import { fromBinaryString } from "../../src/base/bytes.ts";
import {
  WatchCreateRequest_FilterType,
  WatchRequestSchema,
  WatchResponseSchema,
} from "../../src/gen/rpc_pb.js";
import type { SeenResponse, Truth, WatchRecord } from "../model/watch-rules.ts";
import { checkWatch } from "../model/watch-rules.ts";
import type { TestClient } from "./client.ts";
import { seenOf } from "../model/seen-response.ts";

const settleMsMax = 20_000;

type Wanted = Omit<WatchRecord, "name" | "responses">;
interface Record extends WatchRecord {
  readonly responses: SeenResponse[];
}

/** One stream with many watches, numbered from 1. */
export class Watches {
  readonly records: Record[] = [];
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  #changed: () => void = () => undefined;

  constructor(client: TestClient) {
    this.#stream = client.stream("/etcdserverpb.Watch/Watch");
    this.#stream.on("error", () => undefined); // a killed server
    this.#stream.on("data", (bytes: Buffer) => {
      const response = fromBinary(WatchResponseSchema, bytes);
      this.records[Number(response.watchId) - 1]?.responses.push(seenOf(response));
      this.#changed();
    });
  }

  create(wanted: Wanted): void {
    const id = this.records.length + 1;
    this.records.push({ ...wanted, name: `watch ${String(id)}`, responses: [] });
    const { start, end, startRevision, noPut, noDelete, prevKv, fragment } = wanted;
    this.#send({
      case: "createRequest",
      value: {
        key: fromBinaryString(start),
        rangeEnd: fromBinaryString(end === undefined ? "" : (end ?? "\0")),
        startRevision: BigInt(startRevision),
        watchId: BigInt(id),
        filters: [
          ...(noPut ? [WatchCreateRequest_FilterType.NOPUT] : []),
          ...(noDelete ? [WatchCreateRequest_FilterType.NODELETE] : []),
        ],
        ...{ prevKv, fragment },
      },
    });
  }

  cancel(index: number): void {
    if (index < this.records.length) {
      this.#send({ case: "cancelRequest", value: { watchId: BigInt(index + 1) } });
    }
  }

  /** Waits until every watch saw all that was due. Then says what is wrong, if anything. */
  async settled(truth: Truth): Promise<string[]> {
    const deadline = AbortSignal.timeout(settleMsMax);
    for (;;) {
      const found = this.records.flatMap((record) => checkWatch(truth, record));
      const isWaiting =
        found.some((text) => text.includes(" missing at ")) ||
        this.records.some((record) => record.responses.length === 0);
      if (!isWaiting || deadline.aborted) return found;
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
        deadline.onabort = () => {
          resolve();
        };
      });
    }
  }

  close(): void {
    this.#stream.cancel();
  }

  #send(requestUnion: MessageInitShape<typeof WatchRequestSchema>["requestUnion"]): void {
    const message = create(WatchRequestSchema, { requestUnion: requestUnion! });
    this.#stream.write(Buffer.from(toBinary(WatchRequestSchema, message)));
  }
}
