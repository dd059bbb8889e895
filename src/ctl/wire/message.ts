/**
 * Messages by a table of their fields: what `ctl` prints field by field is decoded here, with
 * etcd's own field names. For speed use src/codec; here a new field of etcd costs one line.
 */
import { Reader } from "../../codec/reader.ts";
import { Writer } from "../../codec/writer.ts";

type ScalarKind = keyof Scalars;

interface Scalars {
  int64: bigint;
  uint64: bigint;
  uint32: number;
  enum: number;
  bool: boolean;
  string: string;
  bytes: Uint8Array;
}

/** A message of which nothing but its shape is known. */
export type AnyMessage = Readonly<Record<string, unknown>>;

export interface Schema<T> {
  /** In the order of their numbers, which is the order of printing. */
  readonly fields: readonly NamedField[];
  /** A message without any field set. */
  readonly empty: () => T;
}

interface Field<T> {
  readonly number: number;
  /** A function where two schemas refer to each other. */
  readonly kind: ScalarKind | Schema<unknown> | (() => Schema<unknown>);
  readonly isMany: boolean;
  /** Value when absent; `undefined` for lists, which get a fresh one. */
  readonly zero: T | undefined;
}

export interface NamedField extends Field<unknown> {
  readonly name: string;
}

type Decoded<F> = { -readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

const zeros: Scalars = {
  int64: 0n,
  uint64: 0n,
  uint32: 0,
  enum: 0,
  bool: false,
  string: "",
  bytes: new Uint8Array(0),
};

/** A field that is there once or not at all; a message that is not there is null. */
export function one<K extends ScalarKind>(number: number, kind: K): Field<Scalars[K]>;
export function one<T>(number: number, kind: Schema<T> | (() => Schema<T>)): Field<T | null>;
export function one(
  number: number,
  kind: ScalarKind | Schema<unknown> | (() => Schema<unknown>),
): Field<unknown> {
  const zero = typeof kind === "string" ? zeros[kind] : null;
  return { number, kind, isMany: false, zero };
}

/** A repeated field. */
export function many<K extends ScalarKind>(number: number, kind: K): Field<Scalars[K][]>;
export function many<T>(number: number, kind: Schema<T> | (() => Schema<T>)): Field<T[]>;
export function many(
  number: number,
  kind: ScalarKind | Schema<unknown> | (() => Schema<unknown>),
): Field<unknown> {
  return { number, kind, isMany: true, zero: undefined };
}

export function schema<F extends Readonly<Record<string, Field<unknown>>>>(
  fields: F,
): Schema<Decoded<F>> {
  const named = Object.entries(fields)
    .map(([name, field]) => ({ ...field, name }))
    .sort((a, b) => a.number - b.number);
  const empty = (): Decoded<F> =>
    Object.fromEntries(
      named.map(({ name, isMany, zero }) => [name, isMany ? [] : zero]),
    ) as Decoded<F>;
  return { fields: named, empty };
}

/** The schema of a field that holds messages. */
export function messageKind(field: NamedField): Schema<unknown> | undefined {
  if (typeof field.kind === "string") return undefined;
  return typeof field.kind === "function" ? field.kind() : field.kind;
}

const wireVarint = 0;
const wireBytes = 2;

function wireType(field: NamedField): number {
  const isLong = typeof field.kind !== "string" || ["string", "bytes"].includes(field.kind);
  return isLong ? wireBytes : wireVarint;
}

/**
 * Reads one message; unknown fields are passed over. Bytes are views of `bytes`.
 * @throws DecodeError
 */
export function decodeMessage<T>(type: Schema<T>, bytes: Uint8Array): T {
  const message = type.empty();
  const values = message as Record<string, unknown>;
  const byTag = new Map(type.fields.map((field) => [field.number * 8 + wireType(field), field]));
  const reader = new Reader(bytes);
  while (reader.next()) {
    const field = byTag.get(reader.tag);
    if (field === undefined) {
      reader.skip();
      continue;
    }
    const value = readValue(reader, field);
    if (field.isMany) (values[field.name] as unknown[]).push(value);
    else values[field.name] = value;
  }
  return message;
}

function readValue(reader: Reader, field: NamedField): unknown {
  switch (field.kind) {
    case "int64":
      return reader.bigInt64();
    case "uint64":
      return reader.bigUint64();
    case "uint32":
      return reader.int32() >>> 0;
    case "enum":
      return reader.int32();
    case "bool":
      return reader.bool();
    case "string":
      return reader.string();
    case "bytes":
      return reader.bytes();
    default:
      return decodeMessage(messageKind(field)!, reader.presentBytes());
  }
}

/** The canonical bytes of a message: fields in the order of their numbers, zero values left out. */
export function encodeMessage<T>(type: Schema<T>, message: T): Uint8Array {
  const writer = new Writer();
  const values = message as AnyMessage;
  for (const field of type.fields) {
    const value = values[field.name];
    const tag = field.number * 8 + wireType(field);
    if (field.isMany) {
      for (const item of value as readonly unknown[]) writeValue(writer, field, tag, item);
    } else if (!isZero(value)) {
      writeValue(writer, field, tag, value);
    }
  }
  return writer.copy();
}

/** Whether a value is its type's zero: such fields are neither sent nor printed. */
export function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0;
  return value === 0n || value === 0 || value === false || value === "" || value === null;
}

const encoder = new TextEncoder();

function writeValue(writer: Writer, field: NamedField, tag: number, value: unknown): void {
  writer.varint(tag);
  if (typeof value === "bigint") {
    writer.bigVarint(value);
  } else if (typeof value === "number" || typeof value === "boolean") {
    writer.varint(Number(value));
  } else {
    const bytes = longBytes(field, value);
    writer.varint(bytes.length);
    writer.raw(bytes);
  }
}

function longBytes(field: NamedField, value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return encoder.encode(value);
  return encodeMessage(messageKind(field)!, value);
}
