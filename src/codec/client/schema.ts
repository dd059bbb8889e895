/**
 * Messages that are sent seldom, told by tables: one line per field instead of a reader and a
 * writer. The hot ones (kv, txn, watch, lease) have readers of their own.
 */
import { emptyBytes, utf8 } from "../../base/bytes.ts";
import { Reader } from "../reader.ts";
import type { Writer } from "../writer.ts";
import { encoder } from "./encode.ts";
import type { Header } from "./results.ts";

const wireVarint = 0;
const wireBytes = 2;

/** How a property of a message travels. */
export interface Field<T> {
  readonly number: number;
  readonly wire: typeof wireVarint | typeof wireBytes;
  /** Its value in a message that does not hold the field. */
  empty(): T;
  /** Writes tag and value, or nothing for a value that is left out. */
  write(out: Writer, tag: number, value: T): void;
  /** Reads the value whose tag was just read; `before` is what the property holds so far. */
  read(r: Reader, before: T): T;
}

/** A message as its properties. Unknown fields are passed over. */
export class Message<T extends object> {
  readonly #fields: readonly (readonly [keyof T & string, Field<unknown>])[];
  readonly #byTag = new Map<number, readonly [keyof T & string, Field<unknown>]>();
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => T;

  constructor(fields: { readonly [K in keyof T]-?: Field<T[K]> }) {
    this.#fields = Object.entries(fields) as [keyof T & string, Field<unknown>][];
    for (const entry of this.#fields) this.#byTag.set(tagOf(entry[1]), entry);
    this.encode = encoder((out, value) => this.write(out, value));
    this.decode = (bytes) => this.read(new Reader(bytes));
  }

  empty(): T {
    const value: Partial<Record<keyof T, unknown>> = {};
    for (const [name, field] of this.#fields) value[name] = field.empty();
    return value as T;
  }

  write(out: Writer, value: T): void {
    for (const [name, field] of this.#fields) field.write(out, tagOf(field), value[name]);
  }

  /** Reads the rest of `r` on top of `before`: a message may come in several pieces. */
  read(r: Reader, before: T = this.empty()): T {
    const value = before as Record<keyof T, unknown>;
    while (r.next()) {
      const entry = this.#byTag.get(r.tag);
      if (entry === undefined) r.skip();
      else value[entry[0]] = entry[1].read(r, value[entry[0]]);
    }
    return value as T;
  }
}

const tagOf = (field: Field<unknown>): number => field.number * 8 + field.wire;

/** A field of one varint: left out when it is `zero`. */
function varint<T>(
  number: number,
  zero: T,
  put: (out: Writer, value: T) => void,
  read: (r: Reader) => T,
): Field<T> {
  return {
    number,
    wire: wireVarint,
    empty: () => zero,
    write: (out, tag, value) => {
      if (value === zero) return;
      out.varint(tag);
      put(out, value);
    },
    read,
  };
}

const putNumber = (out: Writer, value: number): void => out.int64(value);
const putBig = (out: Writer, value: bigint): void => out.bigVarint(value);
const readInt64 = (r: Reader): number => r.int64();
const readUint64 = (r: Reader): number => r.uint64();

export const int64 = (n: number): Field<number> => varint(n, 0, putNumber, readInt64);
export const uint64 = (n: number): Field<number> => varint(n, 0, putNumber, readUint64);
export const uint32 = (n: number): Field<number> => varint(n, 0, putNumber, (r) => r.int32() >>> 0);
export const leaseId = (n: number): Field<bigint> => varint(n, 0n, putBig, (r) => r.bigInt64());
export const memberId = (n: number): Field<bigint> => varint(n, 0n, putBig, (r) => r.bigUint64());

export function bool(number: number): Field<boolean> {
  const put = (out: Writer): void => out.byte(1);
  return varint<boolean>(number, false, put, (r) => r.bool());
}

/** A value that this program has no name for: of a server newer than it. */
export type Unnamed = `unknown ${number}`;

/** An enum by the names of its values, in the order of their numbers from 0 on. */
export function enumeration<T extends string>(
  number: number,
  names: readonly [T, ...T[]],
): Field<T | Unnamed> {
  const put = (out: Writer, value: T | Unnamed): void => {
    const at = names.indexOf(value as T);
    out.int64(at === -1 ? Number(value.slice("unknown ".length)) : at);
  };
  const read = (r: Reader): T | Unnamed => {
    const value = r.int32();
    return names[value] ?? `unknown ${value}`;
  };
  return varint<T | Unnamed>(number, names[0], put, read);
}

export const bytes = (number: number): Field<Uint8Array> => ({
  number,
  wire: wireBytes,
  empty: () => emptyBytes,
  write: (out, tag, value) => {
    if (value.length > 0) out.bytesField(tag, value);
  },
  read: (r) => r.presentBytes(),
});

export const string = (number: number): Field<string> => ({
  number,
  wire: wireBytes,
  empty: () => "",
  write: (out, tag, value) => {
    if (value !== "") out.bytesField(tag, utf8(value));
  },
  read: (r) => r.string(),
});

export const strings = (number: number): Field<readonly string[]> => ({
  number,
  wire: wireBytes,
  empty: () => [],
  write: (out, tag, values) => {
    for (const value of values) out.bytesField(tag, utf8(value));
  },
  read: (r, before) => appended(before, r.string()),
});

/** A message inside; null when it is not there. */
export const optional = <T extends object>(
  number: number,
  message: Message<T>,
): Field<T | null> => ({
  number,
  wire: wireBytes,
  empty: () => null,
  write: (out, tag, value) => {
    if (value !== null) writeNested(out, tag, message, value);
  },
  read: (r, before) => message.read(r.nested(), before ?? message.empty()),
});

/** A message inside that is always there, or as good as that. */
export const nested = <T extends object>(number: number, message: Message<T>): Field<T> => ({
  number,
  wire: wireBytes,
  empty: () => message.empty(),
  write: (out, tag, value) => writeNested(out, tag, message, value),
  read: (r, before) => message.read(r.nested(), before),
});

export const list = <T extends object>(
  number: number,
  message: Message<T>,
): Field<readonly T[]> => ({
  number,
  wire: wireBytes,
  empty: () => [],
  write: (out, tag, values) => {
    for (const value of values) writeNested(out, tag, message, value);
  },
  read: (r, before) => appended(before, message.read(r.nested())),
});

/** On the list that `empty` made for this very message. */
function appended<T>(before: readonly T[], value: T): readonly T[] {
  (before as T[]).push(value);
  return before;
}

function writeNested<T extends object>(
  out: Writer,
  tag: number,
  message: Message<T>,
  value: T,
): void {
  const mark = out.beginNested(tag);
  message.write(out, value);
  out.endNested(mark);
}

const headerMessage = new Message<Header>({
  clusterId: memberId(1),
  memberId: memberId(2),
  revision: int64(3),
  raftTerm: uint64(4),
});

/** The header that every answer begins with. */
export const header: Field<Header> = nested(1, headerMessage);

/** A request that says nothing. */
export const nothing = new Message<object>({});

export const headerOnly = new Message<{ readonly header: Header }>({ header });
