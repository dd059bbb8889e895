import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { OutputBuffer } from "./frame.ts";
import { HeaderField } from "./header-field.ts";
import { HeaderList, HpackDecoder, HpackEncoder } from "./hpack.ts";
import { decodeHuffman, encodeHuffman, huffmanLength } from "./huffman.ts";

function fromHex(text: string): Uint8Array {
  const digits = text.replaceAll(" ", "");
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16),
  );
}

function decodeAll(decoder: HpackDecoder, block: Uint8Array): string[] | null {
  const list = new HeaderList(1 << 20, 10_000);
  if (!decoder.decode(block, 0, block.length, list)) return null;
  return list.fields.map((field) => `${field.name}: ${field.value}`);
}

const request1 = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
const request2 = [...request1, "cache-control: no-cache"];
const request3 = [
  ":method: GET",
  ":scheme: https",
  ":path: /index.html",
  ":authority: www.example.com",
  "custom-key: custom-value",
];
const response1 = [
  ":status: 302",
  "cache-control: private",
  "date: Mon, 21 Oct 2013 20:13:21 GMT",
  "location: https://www.example.com",
];
const response2 = [":status: 307", ...response1.slice(1)];
const response3 = [
  ":status: 200",
  "cache-control: private",
  "date: Mon, 21 Oct 2013 20:13:22 GMT",
  "location: https://www.example.com",
  "content-encoding: gzip",
  "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
];

/** The size update to 256 bytes that the response examples of the RFC assume. */
const tableOf256 = "3fe101";

test("RFC 7541 C.2: single fields", () => {
  const decode = (hex: string): string[] | null => decodeAll(new HpackDecoder(), fromHex(hex));
  assert.deepEqual(decode("400a637573746f6d2d6b65790d637573746f6d2d686561646572"), [
    "custom-key: custom-header",
  ]);
  assert.deepEqual(decode("040c2f73616d706c652f70617468"), [":path: /sample/path"]);
  assert.deepEqual(decode("100870617373776f726406736563726574"), ["password: secret"]);
  assert.deepEqual(decode("82"), [":method: GET"]);
});

test("RFC 7541 C.3: requests without Huffman code", () => {
  const decoder = new HpackDecoder();
  const blocks = [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
  ];
  const got = blocks.map((hex) => decodeAll(decoder, fromHex(hex)));
  assert.deepEqual(got, [request1, request2, request3]);
});

test("RFC 7541 C.4: requests with Huffman code", () => {
  const decoder = new HpackDecoder();
  const blocks = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
  ];
  const got = blocks.map((hex) => decodeAll(decoder, fromHex(hex)));
  assert.deepEqual(got, [request1, request2, request3]);
});

test("RFC 7541 C.5: responses, with eviction from a small table", () => {
  const decoder = new HpackDecoder();
  const blocks = [
    `${tableOf256} 4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d`,
    "4803333037c1c0bf",
    "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
  ];
  const got = blocks.map((hex) => decodeAll(decoder, fromHex(hex)));
  assert.deepEqual(got, [response1, response2, response3]);
});

test("RFC 7541 C.6: the same with Huffman code", () => {
  const decoder = new HpackDecoder();
  const blocks = [
    `${tableOf256} 488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3`,
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
  ];
  const got = blocks.map((hex) => decodeAll(decoder, fromHex(hex)));
  assert.deepEqual(got, [response1, response2, response3]);
});

const binary = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
});

test("Huffman code: every binary string comes back", () => {
  fc.assert(
    fc.property(binary, (text) => {
      const length = huffmanLength(text);
      const bytes = new Uint8Array(length + 2);
      assert.equal(encodeHuffman(text, bytes, 1), length + 1);
      assert.equal(decodeHuffman(bytes, 1, length + 1), text);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("Huffman code: wrong padding and the end-of-string symbol are refused", () => {
  assert.equal(decodeHuffman(fromHex("1f"), 0, 1), "a");
  assert.equal(decodeHuffman(fromHex("18"), 0, 1), null); // padded with zeros
  assert.equal(decodeHuffman(fromHex("1fff"), 0, 2), null); // more than seven bits
  assert.equal(decodeHuffman(fromHex("fffffffc"), 0, 4), null); // end of string
});

test("whatever the encoder writes, at any table size, the decoder reads", () => {
  const field = fc.record({
    name: fc.constantFrom("content-type", "grpc-status", "x-a", ":status", "x-bin"),
    value: fc.oneof(fc.constantFrom("200", "0", "application/grpc"), binary),
    isConstant: fc.boolean(),
  });
  const step = fc.oneof(
    fc.record({ fields: fc.array(field, { maxLength: 6 }) }),
    fc.record({ size: fc.integer({ min: 0, max: 5000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder();
      const constants = new Map<string, HeaderField>();
      for (const one of steps) {
        if ("size" in one) {
          encoder.setPeerTableBytes(one.size);
          continue;
        }
        const out = new OutputBuffer(16);
        encoder.begin(out);
        for (const { name, value, isConstant } of one.fields) {
          const key = `${name}: ${value}`;
          const known = constants.get(key) ?? new HeaderField(name, value);
          constants.set(key, known);
          if (isConstant && constants.size < 40) encoder.writeIndexed(out, known);
          else encoder.write(out, name, value);
        }
        const want = one.fields.map(({ name, value }) => `${name}: ${value}`);
        assert.deepEqual(decodeAll(decoder, out.bytes.slice(0, out.length)), want);
      }
    }),
    { seed: 2, numRuns: 500 },
  );
});

test("random bytes never break the decoder", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (blocks) => {
      const decoder = new HpackDecoder();
      for (const block of blocks) {
        if (decodeAll(decoder, block) === null) return;
      }
    }),
    { seed: 3, numRuns: 2000 },
  );
});

test("fields above the bounds are counted and not kept", () => {
  const list = new HeaderList(100, 10);
  const decoder = new HpackDecoder();
  assert.ok(decoder.decode(fromHex("8286848286"), 0, 5, list));
  assert.ok(list.overflow);
  assert.equal(list.count, 5);
  assert.ok(list.fields.length < 5);
});
