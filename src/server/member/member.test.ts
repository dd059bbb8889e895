import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeMember,
  decodeMemberChange,
  decodeMembers,
  encodeMember,
  encodeMembers,
  encodePromotion,
  type Member,
} from "./member.ts";

const plain: Member = { id: 5n, peerUrls: [], isLearner: false, name: "", clientUrls: [] };

// The expected texts are what Go's encoder gives for the same values.
test("members and promotions are written byte for byte as Go writes them", () => {
  assert.equal(encodePromotion(5n), '{"id":5,"peerURLs":null,"isPromote":true}');
  assert.equal(
    encodeMember({
      ...plain,
      id: 2n ** 64n - 1n,
      name: '<a&b>\u2028"\b\x7f',
      clientUrls: ["http://x:1"],
    }),
    '{"id":18446744073709551615,"peerURLs":null,"name":"\\u003ca\\u0026b\\u003e\\u2028\\"\\b\x7f","clientURLs":["http://x:1"]}',
  );
  const learner = { ...plain, peerUrls: ["http://10.0.0.8:2380", "http://10.0.0.9:2380"] };
  assert.equal(
    encodeMember({ ...learner, id: 16700407226101968380n, isLearner: true }),
    '{"id":16700407226101968380,"peerURLs":["http://10.0.0.8:2380","http://10.0.0.9:2380"],"isLearner":true}',
  );
});

test("what was written is read back, in lists too", () => {
  const members: Member[] = [
    { ...plain, id: 2n ** 64n - 1n, peerUrls: ["http://a:1"], name: '"id":7', isLearner: true },
    { ...plain, id: 2n ** 53n + 1n, clientUrls: ["http://b:1", "http://b:2"] },
  ];
  assert.deepEqual(decodeMembers(encodeMembers(members)), members);
  assert.deepEqual(decodeMember(encodeMember(members[0]!)), members[0]);
  assert.deepEqual(decodeMemberChange(encodePromotion(9n)), {
    member: { ...plain, id: 9n },
    isPromote: true,
  });
  assert.equal(decodeMemberChange(encodeMember(members[1]!)).isPromote, false);
  assert.deepEqual(decodeMembers("null"), []);
});

test("what is no member is refused", () => {
  const bad = ["{}", '{"id":"x"}', "[]", '{"id":18446744073709551616}', '{"id":1,"peerURLs":"a"}'];
  for (const text of bad) assert.throws(() => decodeMember(text), TypeError, text);
  for (const text of ["{}", "[1]", '[{"id":1,"clientURLs":[2]}]', "<html>"]) {
    assert.throws(() => decodeMembers(text), text);
  }
});
