import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { equal } from "../../src/base/bytes.ts";
import { DecodeError } from "../../src/codec/reader.ts";
import { bytesOf, encodings, knownOf } from "./encodings.ts";
import type { Subject } from "./messages.ts";
import { subjects } from "./messages.ts";

/** Without the `canonical` marks, at every depth. */
function unmarked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarked);
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== "canonical")
      .map(([name, inner]) => [name, unmarked(inner)]),
  );
}

const canonicalMark = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "canonical" in value ? value.canonical : undefined;

/** The value, or null for a refusal; any other exception ends the test. */
function decodeOrRefuse(subject: Subject, bytes: Uint8Array): { value: unknown } | null {
  try {
    return { value: subject.decode(bytes) };
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}

for (const subject of subjects) {
  const { schema, decode, expected, recode } = subject;
  const canonical = (bytes: Uint8Array): Uint8Array => toBinary(schema, fromBinary(schema, bytes));

  suite(schema.typeName, () => {
    test("every valid encoding reads as protobuf-es reads it", () => {
      const allNumbers = !subject.refusesHugeNumbers;
      fc.assert(
        fc.property(encodings(schema, { allNumbers }), (encoding) => {
          const bytes = bytesOf(encoding);
          const known = knownOf(encoding);
          const decoded = decode(bytes);
          assert.deepEqual(unmarked(decoded), expected(known));
          const mark = canonicalMark(decoded);
          if (mark !== undefined) assert.equal(mark, equal(canonical(known), bytes));
        }),
        { numRuns: 200 },
      );
    });

    test("a canonical encoding is marked as such, and encodes to itself", () => {
      fc.assert(
        fc.property(encodings(schema, { allNumbers: false }), (encoding) => {
          const known = knownOf(encoding);
          const bytes = canonical(known);
          assert.deepEqual(unmarked(decode(bytes)), expected(known));
          assert.notEqual(canonicalMark(decode(bytes)), false);
          if (recode !== null) {
            assert.deepEqual(recode(bytes), bytes);
            assert.deepEqual(recode(bytesOf(encoding)), bytes);
          }
        }),
        { numRuns: 200 },
      );
    });

    test("a cut between fields shortens the message, any other cut is refused", () => {
      fc.assert(
        fc.property(encodings(schema, { allNumbers: false }), (encoding) => {
          const bytes = bytesOf(encoding);
          const ends = new Map([[0, 0]]);
          let end = 0;
          encoding.forEach((part, i) => ends.set((end += part.bytes.length), i + 1));
          for (let at = 0; at < bytes.length; at++) {
            const fields = ends.get(at);
            const result = decodeOrRefuse(subject, bytes.subarray(0, at));
            if (fields === undefined) {
              assert.equal(result, null, `cut at ${at}`);
            } else {
              const prefix = encoding.slice(0, fields);
              assert.deepEqual(unmarked(result?.value), expected(knownOf(prefix)));
            }
          }
        }),
        { numRuns: 20 },
      );
    });

    test("random and damaged bytes are refused or read, nothing else", () => {
      const random = fc.uint8Array({ maxLength: 24 });
      const damaged = fc
        .tuple(encodings(schema, { allNumbers: true }), fc.nat(), fc.integer({ min: 1, max: 255 }))
        .map(([encoding, at, flip]) => {
          const bytes = bytesOf(encoding);
          if (bytes.length > 0) bytes[at % bytes.length]! ^= flip;
          return bytes;
        });
      fc.assert(
        fc.property(fc.oneof(random, damaged), (bytes) => {
          const first = decodeOrRefuse(subject, bytes);
          if (first === null || recode === null) return;
          // What was read is a message: its own encoding reads as the same.
          assert.deepEqual(unmarked(decode(recode(bytes))), unmarked(first.value));
        }),
        { numRuns: 200 },
      );
    });
  });
}
