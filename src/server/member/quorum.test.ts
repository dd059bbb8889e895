import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import type { Member } from "./member.ts";
import {
  connectedSince,
  hasQuorumWithNewVoter,
  hasQuorumWithout,
  hasQuorumWithPromoted,
  isHealthyForNewMember,
  isHealthyForRemoval,
  quorumOf,
} from "./quorum.ts";

/** "s" is a started voter, "-" one that is not; ids are 1, 2, 3 ... */
const voters = (states: string): Member[] =>
  [...states].map((state, i) => ({
    ...{ id: BigInt(i + 1), peerUrls: [], clientUrls: [], isLearner: false },
    name: state === "s" ? "x" : "",
  }));

suite("strict reconfiguration", () => {
  test("lets a voter be added while the started ones are a quorum of the new size", () => {
    for (const ok of ["s", "ss", "sss", "ssss", "sss-", "ssss-"]) {
      assert.equal(hasQuorumWithNewVoter(voters(ok)), true, ok);
    }
    for (const bad of ["s-", "ss-", "s--", "ss--", "sss--", "-"]) {
      assert.equal(hasQuorumWithNewVoter(voters(bad)), false, bad);
    }
  });

  test("lets a voter be removed while the started others are a quorum of themselves", () => {
    assert.equal(hasQuorumWithout(voters("s"), 1n), false);
    assert.equal(hasQuorumWithout(voters("s-"), 2n), true);
    assert.equal(hasQuorumWithout(voters("s-"), 1n), false);
    assert.equal(hasQuorumWithout(voters("ss-"), 1n), false);
    assert.equal(hasQuorumWithout(voters("ss-"), 3n), true);
    assert.equal(hasQuorumWithout(voters("sss"), 9n), true);
  });

  test("counts a learner that is promoted as started", () => {
    assert.equal(hasQuorumWithPromoted(voters("s")), true);
    assert.equal(hasQuorumWithPromoted(voters("s-")), true);
    assert.equal(hasQuorumWithPromoted(voters("s--")), false);
  });

  test("counts as connected who has been for longer than asked", () => {
    const since = new Map([
      [2n, 99],
      [3n, 100],
    ]);
    const count = (at: number): number =>
      connectedSince(voters("ssss"), 1n, (id) => since.get(id) ?? null, at);
    assert.deepEqual([count(99), count(100), count(101)], [1, 2, 3]);
  });

  test("etcd-21667 (row 25): a voter may be added with one down if a quorum of the new size is up", () => {
    assert.equal(isHealthyForNewMember(3, 3), true);
    assert.equal(isHealthyForNewMember(3, 2), false); // 3 of 4 are needed
    assert.equal(isHealthyForNewMember(4, 3), true); // one down, 3 of 5
    assert.equal(isHealthyForNewMember(5, 4), true);
    assert.equal(isHealthyForNewMember(1, 1), true);
  });

  test("lets a connected voter go only if more than a quorum of the rest stays", () => {
    assert.equal(isHealthyForRemoval(3, 3), true);
    assert.equal(isHealthyForRemoval(3, 2), false);
    assert.equal(isHealthyForRemoval(5, 4), true);
    assert.equal(isHealthyForRemoval(5, 3), false);
  });

  test("never admits a voter that could leave the started ones without a quorum", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[s-]{2,9}$/), (states) => {
        const all = voters(states);
        const started = all.filter((m) => m.name !== "").length;
        assert.equal(hasQuorumWithNewVoter(all), started >= quorumOf(all.length + 1));
        for (const { id, name } of all) {
          const left = started - (name === "" ? 0 : 1);
          assert.equal(hasQuorumWithout(all, id), left >= quorumOf(all.length - 1));
        }
      }),
    );
  });
});
