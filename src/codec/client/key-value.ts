// One key at one revision, as it stands in an answer.
//
// KV1  Reading an answer makes one object per key and no view: large ranges are mostly looped over
//      once, and often only for their keys or only for their values.
// KV2  The bytes of the answer are never changed once it was read; views of it may be handed out.
import type { Reader } from "../reader.ts";
import type { KeyValue } from "./results.ts";

const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Where a key and its value lie in an answer. */
interface Place {
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
}

/** Numbers of a key: all but its bytes. */
interface Numbers {
  createRevision: number;
  modRevision: number;
  version: number;
  lease: bigint;
}

export class DecodedKeyValue implements KeyValue {
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: bigint;
  readonly #bytes: Uint8Array;
  readonly #keyStart: number;
  readonly #keyEnd: number;
  readonly #valueStart: number;
  readonly #valueEnd: number;

  constructor(bytes: Uint8Array, place: Place, numbers: Numbers) {
    this.createRevision = numbers.createRevision;
    this.modRevision = numbers.modRevision;
    this.version = numbers.version;
    this.lease = numbers.lease;
    this.#bytes = bytes;
    this.#keyStart = place.keyStart;
    this.#keyEnd = place.keyEnd;
    this.#valueStart = place.valueStart;
    this.#valueEnd = place.valueEnd;
  }

  get key(): Uint8Array {
    return this.#view(this.#keyStart, this.#keyEnd);
  }

  get value(): Uint8Array {
    return this.#view(this.#valueStart, this.#valueEnd);
  }

  string(): string {
    return utf8Decoder.decode(this.value);
  }

  json(): unknown {
    return JSON.parse(this.string()) as unknown;
  }

  keyString(): string {
    return utf8Decoder.decode(this.key);
  }

  /** The same without the first bytes of its key; a key that is shorter becomes empty. */
  withoutPrefix(prefixBytes: number): DecodedKeyValue {
    const place = {
      keyStart: Math.min(this.#keyStart + prefixBytes, this.#keyEnd),
      keyEnd: this.#keyEnd,
      valueStart: this.#valueStart,
      valueEnd: this.#valueEnd,
    };
    return new DecodedKeyValue(this.#bytes, place, this);
  }

  /** For logs and JSON.stringify: key and value as text. */
  toJSON(): Record<string, unknown> {
    const { createRevision, modRevision, version } = this;
    const texts = { key: this.keyString(), value: this.string() };
    return { ...texts, createRevision, modRevision, version, lease: String(this.lease) };
  }

  /** How console.log shows it. */
  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    return { ...this.toJSON(), lease: this.lease };
  }

  #view(start: number, end: number): Uint8Array {
    const { buffer, byteOffset } = this.#bytes;
    return new Uint8Array(buffer, byteOffset + start, end - start);
  }
}

/** Scratch space of {@link readKeyValue}, which calls nothing that could use it as well. */
const place: Place = { keyStart: 0, keyEnd: 0, valueStart: 0, valueEnd: 0 };
const numbers: Numbers = { createRevision: 0, modRevision: 0, version: 0, lease: 0n };

/** Reads the rest of `r` as a KeyValue over its buffer. */
export function readKeyValue(r: Reader): DecodedKeyValue {
  place.keyStart = place.keyEnd = place.valueStart = place.valueEnd = 0;
  numbers.createRevision = numbers.modRevision = numbers.version = 0;
  numbers.lease = 0n;
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        place.keyStart = r.span();
        place.keyEnd = r.pos;
        break;
      case 0x10:
        numbers.createRevision = r.int64();
        break;
      case 0x18:
        numbers.modRevision = r.int64();
        break;
      case 0x20:
        numbers.version = r.int64();
        break;
      case 0x2a:
        place.valueStart = r.span();
        place.valueEnd = r.pos;
        break;
      case 0x30:
        numbers.lease = r.bigInt64();
        break;
      default:
        r.skip();
    }
  }
  return new DecodedKeyValue(r.buf, place, numbers);
}

/** A KeyValue over bytes of one's own: answers made by caches. */
export function makeKeyValue(
  key: Uint8Array,
  value: Uint8Array,
  of: Readonly<Numbers>,
): DecodedKeyValue {
  const bytes = new Uint8Array(key.length + value.length);
  bytes.set(key, 0);
  bytes.set(value, key.length);
  const ends = { keyStart: 0, keyEnd: key.length, valueStart: key.length, valueEnd: bytes.length };
  return new DecodedKeyValue(bytes, ends, of);
}
