import { toBinaryString } from "../../src/base/bytes.ts";
import { Reader } from "../../src/codec/reader.ts";
import { Writer } from "../../src/codec/writer.ts";

/** Field number to its values, in order: numbers as bigint, bytes as binary strings. */
export type Fields = Record<number, (bigint | string)[]>;

export function fieldsOf(bytes: Uint8Array): Fields {
  const fields: Fields = {};
  const reader = new Reader(bytes, -1);
  while (reader.next()) {
    const list = (fields[reader.tag >>> 3] ??= []);
    if ((reader.tag & 7) === 0) list.push(reader.presentBigInt64());
    else list.push(toBinaryString(reader.presentBytes()));
  }
  return fields;
}

export function nested(value: bigint | string | undefined): Fields {
  if (typeof value !== "string") throw new Error("not a message");
  return fieldsOf(Uint8Array.from(value, (c) => c.charCodeAt(0)));
}

/** Builds a message from [field, value] pairs. */
export function message(...fields: [number, bigint | string | Uint8Array][]): Uint8Array {
  const out = new Writer();
  for (const [field, value] of fields) {
    if (typeof value === "bigint") {
      out.varint(field * 8);
      out.bigVarint(value);
    } else if (typeof value === "string") {
      out.bytesField(field * 8 + 2, new TextEncoder().encode(value));
    } else {
      out.bytesField(field * 8 + 2, value);
    }
  }
  return out.copy();
}
