/** Random valid encodings of a message: every form that a reader has to accept. */
import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";
import { concat, utf8 } from "../../src/base/bytes.ts";

/** One field as it stands in an encoding. */
interface Part {
  readonly bytes: Uint8Array;
  /** The same without anything that readers pass over; empty if all of it is such. */
  readonly known: Uint8Array;
}

/** An encoding, cut between its fields: any order, repeated, split, padded, with unknown ones. */
export type Encoding = readonly Part[];

export const bytesOf = (encoding: Encoding): Uint8Array => concat(encoding.map((p) => p.bytes));
export const knownOf = (encoding: Encoding): Uint8Array => concat(encoding.map((p) => p.known));

export interface EncodingOptions {
  /** Numbers beyond 2^53 as well, where ours are rounded; ids always use all 64 bits. */
  readonly allNumbers: boolean;
}

/** Fields that our decoded forms hold as bigint. */
const idNames = new Set([
  ...["ID", "id", "lease", "memberID", "member_ID", "to", "from", "vote", "node_id"],
  ...["voters", "learners", "voters_outgoing", "learners_next"],
]);

const varintType = 0;
const fixed64Type = 1;
const bytesType = 2;
const startGroupType = 3;
const endGroupType = 4;
const fixed32Type = 5;

export function encodings(
  desc: DescMessage,
  options: EncodingOptions,
  depth = 3,
): fc.Arbitrary<Encoding> {
  const fields = desc.fields.filter((f) => depth > 0 || f.message === undefined);
  const kinds: fc.WeightedArbitrary<Part>[] = [{ weight: 1, arbitrary: unknownPart(desc) }];
  if (fields.length > 0) {
    const known = fc.constantFrom(...fields).chain((f) => knownPart(f, options, depth));
    const foreign = fc.constantFrom(...fields).chain(foreignPart);
    kinds.push({ weight: 10, arbitrary: known }, { weight: 1, arbitrary: foreign });
  }
  return fc.array(fc.oneof(...kinds), { maxLength: 7 });
}

/** Any 64 bits, edges above all. */
const anyBits = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 3n, 127n, 128n),
  fc.constantFrom(
    ...[31n, 32n, 53n, 63n, 64n].flatMap((e) => [2n ** e - 1n, 2n ** e, 2n ** e + 1n]),
  ),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);

const safeMax = 2n ** 53n - 1n;

function varint(value: bigint, padding: number, bytesMax = 10): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  } while (rest > 0n);
  for (let i = 0; i < padding && out.length < bytesMax; i++) out.push(0x80);
  out[out.length - 1]! &= 0x7f;
  return Uint8Array.from(out);
}

const padding = fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 9 }));

/** Tags stay within five bytes: beyond, readers differ. */
const tag = (field: number, wire: number, pad = 0): Uint8Array =>
  varint(BigInt(field * 8 + wire), pad, 5);

const lengthPrefixed = (bytes: Uint8Array, pad = 0): Uint8Array =>
  concat([varint(BigInt(bytes.length), pad, 5), bytes]);

function knownPart(field: DescField, options: EncodingOptions, depth: number): fc.Arbitrary<Part> {
  if (field.message !== undefined) {
    return fc.tuple(encodings(field.message, options, depth - 1), padding).map(([inner, pad]) => ({
      bytes: concat([tag(field.number, bytesType, pad), lengthPrefixed(bytesOf(inner), pad)]),
      known: concat([tag(field.number, bytesType), lengthPrefixed(knownOf(inner))]),
    }));
  }
  const scalar = field.scalar;
  if (scalar === ScalarType.BYTES || scalar === ScalarType.STRING) {
    const text = fc.string({ unit: "binary", maxLength: 5 }).map(utf8);
    const raw = fc.oneof(fc.uint8Array({ maxLength: 5 }), fc.constant(new Uint8Array(200)));
    return fc
      .tuple(scalar === ScalarType.STRING ? text : raw, padding)
      .map(([value, pad]) =>
        whole(concat([tag(field.number, bytesType, pad), lengthPrefixed(value, pad)])),
      );
  }
  const single = fc
    .tuple(bitsOf(field, options), padding)
    .map(([value, pad]) => concat([tag(field.number, varintType, pad), varint(value, pad)]));
  if (field.fieldKind !== "list") return single.map(whole);
  const packed = fc
    .array(bitsOf(field, options), { maxLength: 3 })
    .map((values) =>
      concat([
        tag(field.number, bytesType),
        lengthPrefixed(concat(values.map((v) => varint(v, 0)))),
      ]),
    );
  return fc.oneof(single, packed).map(whole);
}

const whole = (bytes: Uint8Array): Part => ({ bytes, known: bytes });

function bitsOf(field: DescField, options: EncodingOptions): fc.Arbitrary<bigint> {
  if (field.enum !== undefined) return enumBits(field.enum);
  if (field.scalar === ScalarType.BOOL || options.allNumbers || idNames.has(field.name)) {
    return anyBits;
  }
  const min = field.scalar === ScalarType.INT64 ? -safeMax : 0n;
  return fc.oneof(
    fc.constantFrom(min, 0n, 1n, 2n ** 32n, safeMax),
    fc.bigInt({ min, max: safeMax }),
  );
}

/** Open enums (proto3) take any number; the low 32 bits of it count. */
function enumBits(desc: DescEnum): fc.Arbitrary<bigint> {
  const declared = fc.constantFrom(...desc.values.map((v) => BigInt(v.number)));
  return desc.open ? fc.oneof(declared, anyBits) : declared;
}

function unknownPart(desc: DescMessage): fc.Arbitrary<Part> {
  const numbers = fc.constantFrom(15, 31, 32, 63, 500, 2 ** 29 - 1);
  return numbers
    .filter((n) => desc.fields.every((f) => f.number !== n))
    .chain((n) => fc.oneof(...[0, 1, 2, 3, 5].map((wire) => ignoredPart(n, wire))));
}

/** A known field in a wire type that is not its own: read as an unknown one. */
function foreignPart(field: DescField): fc.Arbitrary<Part> {
  const isBytes =
    field.message !== undefined ||
    field.scalar === ScalarType.BYTES ||
    field.scalar === ScalarType.STRING;
  const own = isBytes ? [bytesType] : [varintType];
  if (field.fieldKind === "list" && !isBytes) own.push(bytesType);
  const wires = [varintType, fixed64Type, bytesType, startGroupType, fixed32Type];
  const others = wires.filter((wire) => !own.includes(wire));
  return fc.oneof(...others.map((wire) => ignoredPart(field.number, wire)));
}

function ignoredPart(field: number, wire: number): fc.Arbitrary<Part> {
  const ignored = (value: Uint8Array): Part => ({
    bytes: concat([tag(field, wire), value]),
    known: new Uint8Array(0),
  });
  const fixed = (size: number): fc.Arbitrary<Uint8Array> =>
    fc.uint8Array({ minLength: size, maxLength: size });
  switch (wire) {
    case varintType:
      return anyBits.map((bits) => ignored(varint(bits, 0)));
    case fixed64Type:
      return fixed(8).map(ignored);
    case fixed32Type:
      return fixed(4).map(ignored);
    case bytesType:
      return fc.uint8Array({ maxLength: 4 }).map((bytes) => ignored(lengthPrefixed(bytes)));
    default:
      // A group with a field, a fixed value and a group inside.
      return anyBits.map((bits) =>
        ignored(
          concat([
            tag(1, varintType),
            varint(bits, 0),
            tag(2, fixed32Type),
            new Uint8Array(4),
            tag(9, startGroupType),
            tag(9, endGroupType),
            tag(field, endGroupType),
          ]),
        ),
      );
  }
}
