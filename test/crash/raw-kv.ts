// A small etcd client over grpc-js for crash tests: put, and range of everything below a prefix.
import { Client, credentials } from "@grpc/grpc-js";

const callTimeoutMs = 5_000;
const putPath = "/etcdserverpb.KV/Put";
const rangePath = "/etcdserverpb.KV/Range";

/** Fields of a message: varints as numbers, everything else as bytes. */
function* fields(message: Buffer): Generator<[number: number, value: number | Buffer]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    if (tag % 8 === 0) {
      yield [tag >>> 3, varint()];
      continue;
    }
    const length = varint();
    yield [tag >>> 3, message.subarray(at, at + length)];
    at += length;
  }
}

function bytesField(number: number, value: string): Buffer {
  const body = Buffer.from(value, "latin1");
  if (body.length > 127) throw new Error("only short fields are needed here");
  return Buffer.concat([Buffer.from([number * 8 + 2, body.length]), body]);
}

function revisionOf(header: Buffer): number {
  for (const [number, value] of fields(header)) {
    if (number === 3 && typeof value === "number") return value;
  }
  return 0;
}

export interface Stored {
  readonly value: string;
  readonly modRevision: number;
}

export interface RawKv {
  /** Resolves with the revision once the server acknowledged; rejects with the gRPC error. */
  put(key: string, value: string): Promise<number>;
  /** All keys from `key` up to `end`, and the store's revision. Not serializable. */
  range(key: string, end: string): Promise<{ revision: number; keys: Map<string, Stored> }>;
  close(): void;
}

function storedOf(kv: Buffer): [key: string, stored: Stored] {
  let [key, value, modRevision] = ["", "", 0];
  for (const [number, field] of fields(kv)) {
    if (number === 1 && typeof field !== "number") key = field.toString("latin1");
    if (number === 3 && typeof field === "number") modRevision = field;
    if (number === 5 && typeof field !== "number") value = field.toString("latin1");
  }
  return [key, { value, modRevision }];
}

export function openRawKv(endpoint: string): RawKv {
  const client = new Client(endpoint, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1, // a connection of its own
    "grpc.max_receive_message_length": -1,
  });
  const same = (bytes: Buffer): Buffer => bytes;
  const call = (path: string, request: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const deadline = Date.now() + callTimeoutMs;
      client.makeUnaryRequest(path, same, same, request, { deadline }, (error, answer) => {
        if (error !== null || answer === undefined) reject(error ?? new Error("no answer"));
        else resolve(answer);
      });
    });
  return {
    async put(key, value) {
      const answer = await call(putPath, Buffer.concat([bytesField(1, key), bytesField(2, value)]));
      for (const [number, field] of fields(answer)) {
        if (number === 1 && typeof field !== "number") return revisionOf(field);
      }
      throw new Error("put answer without a header");
    },
    async range(key, end) {
      const answer = await call(rangePath, Buffer.concat([bytesField(1, key), bytesField(2, end)]));
      const keys = new Map<string, Stored>();
      let revision = 0;
      for (const [number, field] of fields(answer)) {
        if (typeof field === "number") continue;
        if (number === 1) revision = revisionOf(field);
        if (number === 2) keys.set(...storedOf(field));
      }
      return { revision, keys };
    },
    close() {
      client.close();
    },
  };
}
