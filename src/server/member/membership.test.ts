import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { suite, test } from "node:test";
import {
  errLearnerNotReady,
  errMemberBadURLs,
  errMemberNotEnoughStarted,
  errTimeout,
  errUnhealthy,
  type EtcdError,
} from "../../base/etcd-errors.ts";
import { Hand, silent } from "../../../test/mvcc/rig.ts";
import { utf8 } from "../../base/bytes.ts";
import type { Done } from "../../base/ports.ts";
import { confChangeType } from "../../codec/conf-change.ts";
import type { PeerAnswer, PeerReply, PeerRequest } from "../peer/peer-port.ts";
import { Cluster } from "./cluster.ts";
import { encodeMember, type Member } from "./member.ts";
import { errIdNotFound, errLastVoter, errNotLearner, errPeerUrlTaken } from "./member-error.ts";
import { Membership } from "./membership.ts";
import { createMemberServices } from "./peer-services.ts";

interface Options {
  readonly isStrict?: boolean;
  readonly isLeader?: boolean;
}

/** Members 1 to `voters`, all started and connected for long; the local one is 1. */
class World {
  readonly hand = new Hand();
  readonly cluster: Cluster;
  readonly membership: Membership;
  readonly match = new Map<bigint, number>();
  readonly active = new Map<bigint, number>();
  readonly calls: { id: bigint; request: PeerRequest; done: Done<PeerAnswer> }[] = [];
  isLeader: boolean;
  leader = 1n;
  proposed = 0;

  constructor(voters: number, options: Options = {}) {
    this.isLeader = options.isLeader ?? true;
    const rows = { put: () => undefined, delete: () => undefined };
    const ids = { clusterId: 0xabcn, localId: 1n };
    this.cluster = new Cluster(ids, rows, { log: silent, learnersMax: 1 });
    this.hand.advance(100_000);
    for (let id = 1n; id <= voters; id++) {
      this.apply(confChangeType.addNode, id, { name: `m${id}` });
      this.match.set(id, 100);
      if (id > 1n) this.active.set(id, 1000);
    }
    this.membership = new Membership({
      ...{ cluster: this.cluster, clock: this.hand, log: silent, requestTimeoutMs: 7000 },
      sha1: (bytes) => createHash("sha1").update(bytes).digest(),
      isStrict: options.isStrict ?? true,
      peers: { call: (id, request, done) => this.calls.push({ id, request, done }) },
      status: this.#status(),
      catchUp: (ready) => {
        ready(null);
      },
      propose: (change, done) => {
        this.proposed++;
        done(this.cluster.apply({ id: 0n, ...change }));
      },
    });
  }

  #status() {
    const isLeading = (): boolean => this.isLeader;
    const leader = (): bigint => this.leader;
    return {
      get isLeader() {
        return isLeading();
      },
      get leader() {
        return leader();
      },
      matchOf: (id: bigint) => this.match.get(id) ?? null,
      activeSince: (id: bigint) => this.active.get(id) ?? null,
    };
  }

  apply(type: number, nodeId: bigint, more: Partial<Member> = {}): void {
    const peerUrls = [`http://h${nodeId}:1`];
    const member = { id: nodeId, peerUrls, isLearner: false, name: "", clientUrls: [], ...more };
    const context = utf8(encodeMember(member));
    assert.equal(this.cluster.apply({ id: 0n, type, nodeId, context }), null);
  }

  addLearner(id: bigint): void {
    this.apply(confChangeType.addLearnerNode, id, { isLearner: true });
  }

  add(urls: readonly string[], isLearner = false): EtcdError | Member {
    let outcome: EtcdError | Member | null = null;
    this.membership.add(urls, isLearner, (error, added) => {
      outcome = error ?? added;
    });
    return outcome!;
  }

  remove = (id: bigint): EtcdError | "done" =>
    this.#run((done) => this.membership.remove(id, done));
  promote = (id: bigint): EtcdError | "done" =>
    this.#run((done) => this.membership.promote(id, done));
  update = (id: bigint, urls: readonly string[]): EtcdError | "done" =>
    this.#run((done) => this.membership.update(id, urls, done));

  #run(start: (done: (error: EtcdError | null) => void) => void): EtcdError | "done" {
    let outcome: EtcdError | "done" | null = null;
    start((error) => {
      outcome = error ?? "done";
    });
    return outcome!;
  }
}

suite("MemberAdd", () => {
  test("gives the id that etcd gives at that second, and sorted URLs", () => {
    const world = new World(1);
    world.hand.advance(1_700_000_000_000 - world.hand.wall());
    const urls = ["http://10.0.0.9:2380", " http://10.0.0.8:2380"];
    const added = world.add(urls, true) as Member;
    assert.equal(added.id, 16700407226101968380n); // computed by Go etcd
    assert.deepEqual(added.peerUrls, ["http://10.0.0.8:2380", "http://10.0.0.9:2380"]);
    assert.equal(world.cluster.member(added.id)?.isLearner, true);
  });

  test("refuses bad URLs, and URLs in use", () => {
    const world = new World(1);
    const bad = [[], ["x"], ["http://a"], ["http://a:1/path"], ["http://a:1,http://b:1"], [""]];
    for (const urls of bad) assert.equal(world.add(urls), errMemberBadURLs, urls.join());
    assert.equal(world.add(["http://h1:1"]), errPeerUrlTaken);
    assert.equal(world.cluster.members().length, 1);
  });

  test("protects the quorum, unless told not to", () => {
    const world = new World(1);
    world.add(["http://new:1"]);
    assert.equal(world.add(["http://new:2"]), errMemberNotEnoughStarted);
    assert.equal(world.add(["http://new:2"], true), errUnhealthy); // 1 of 3 is connected
    const loose = new World(1, { isStrict: false });
    loose.add(["http://new:1"]);
    assert.notEqual(loose.add(["http://new:2"]), errMemberNotEnoughStarted);
    assert.equal(loose.cluster.voters().length, 3);
  });

  test("wants a quorum of the new size connected for five seconds", () => {
    const world = new World(3);
    world.active.set(3n, world.hand.now() - 5000);
    assert.equal(world.add(["http://new:1"]), errUnhealthy);
    world.active.set(3n, world.hand.now() - 5001);
    assert.equal((world.add(["http://new:1"]) as Member).name, "");
  });
});

suite("MemberRemove", () => {
  test("never removes the last voter", () => {
    assert.equal(new World(1).remove(1n), errMemberNotEnoughStarted);
    const loose = new World(1, { isStrict: false });
    assert.equal(loose.remove(1n), errLastVoter);
    assert.equal(loose.proposed, 0);
  });

  test("removes who is down, and who is up only if enough others are", () => {
    const world = new World(3);
    world.active.delete(3n);
    assert.equal(world.remove(2n), errUnhealthy);
    assert.equal(world.remove(1n), errUnhealthy);
    assert.equal(world.remove(3n), "done");
    assert.equal(world.remove(3n).toString().includes("member not found"), true);
  });

  test("removes a learner whatever the others do", () => {
    const world = new World(3);
    world.addLearner(9n);
    world.active.clear();
    assert.equal(world.remove(9n), "done");
  });
});

suite("MemberUpdate", () => {
  test("refuses empty and bad URLs, which end Go etcd, and changes nothing then", () => {
    const world = new World(2);
    for (const urls of [[], ["bad"], ["http://a:1/x"], ["http://ok:1", ""]]) {
      assert.equal(world.update(2n, urls), errMemberBadURLs);
    }
    assert.equal(world.proposed, 0);
    assert.equal(world.update(2n, ["http://h1:1"]), errPeerUrlTaken);
    assert.equal(world.update(7n, ["http://x:1"]), errIdNotFound);
    assert.equal(world.update(2n, ["http://y:2", "http://y:1"]), "done");
    assert.deepEqual(world.cluster.member(2n)?.peerUrls, ["http://y:2", "http://y:1"]);
  });
});

suite("MemberPromote", () => {
  test("etcd-15096 (row 24): a learner that never started is not promoted", () => {
    const world = new World(3);
    world.addLearner(9n);
    world.match.set(9n, 0);
    assert.equal(world.promote(9n), errLearnerNotReady);
    world.match.set(9n, 89);
    assert.equal(world.promote(9n), errLearnerNotReady);
    world.match.set(9n, 90);
    assert.equal(world.promote(9n), "done");
    assert.equal(world.cluster.member(9n)?.isLearner, false);
  });

  test("refuses voters and strangers", () => {
    const world = new World(3);
    assert.equal(world.promote(2n), errNotLearner);
    assert.equal(world.promote(9n), errIdNotFound);
  });

  test("protects the quorum", () => {
    const world = new World(1);
    for (const id of [2n, 3n]) world.apply(confChangeType.addNode, id);
    world.addLearner(9n);
    world.match.set(9n, 100);
    assert.equal(world.promote(9n), errMemberNotEnoughStarted);
  });
});

suite("MemberPromote on a follower", () => {
  const follower = (): World => {
    const world = new World(3, { isLeader: false });
    world.leader = 2n;
    world.addLearner(9n);
    return world;
  };
  /** Starts a promotion whose end is looked at later. */
  const start = (world: World): { outcome: EtcdError | readonly Member[] | null } => {
    const state = { outcome: null as EtcdError | readonly Member[] | null };
    world.membership.promote(9n, (error, members) => {
      state.outcome = error ?? members;
    });
    return state;
  };
  const answer = (world: World, status: number, text: string): void => {
    world.calls.at(-1)!.done(null, { status, body: utf8(text) });
  };

  test("asks the leader and gives its answer", () => {
    const world = follower();
    const state = start(world);
    const { id, request } = world.calls[0]!;
    assert.deepEqual([id, request.method, request.path], [2n, "POST", "/members/promote/9"]);
    answer(world, 200, '[{"id":9,"peerURLs":["http://h9:1"]}]\n');
    assert.deepEqual(
      (state.outcome as Member[]).map((m) => [m.id, m.isLearner]),
      [[9n, false]],
    );
  });

  test("gives the leader's refusals as its own", () => {
    const refusals: [number, string, EtcdError][] = [
      [404, "membership: ID not found\n", errIdNotFound],
      [412, "membership: can only promote a learner member\n", errNotLearner],
      [412, `${errLearnerNotReady.message}\n`, errLearnerNotReady],
    ];
    for (const [status, text, error] of refusals) {
      const world = follower();
      const state = start(world);
      answer(world, status, text);
      assert.equal(state.outcome, error);
    }
  });

  test("asks again without a clear answer, until the time is up", () => {
    const world = follower();
    const state = start(world);
    answer(world, 500, "Internal Server Error");
    world.leader = 0n;
    world.hand.advance(100);
    assert.equal(world.calls.length, 1);
    world.leader = 3n;
    world.hand.advance(100);
    assert.equal(world.calls.at(-1)!.id, 3n);
    world.calls.at(-1)!.done(new Error("broken"), null as unknown as PeerAnswer);
    world.leader = 0n;
    for (let i = 0; i < 70; i++) world.hand.advance(100);
    assert.equal(state.outcome, errTimeout);
  });

  test("promotes by itself when it has become the leader", () => {
    const world = follower();
    const state = start(world);
    world.isLeader = true;
    world.match.set(9n, 100);
    answer(world, 500, "");
    world.hand.advance(100);
    assert.equal((state.outcome as Member[]).length, 4);
  });
});

suite("what peers ask", () => {
  const ask = (world: World, path: string): PeerReply => {
    const { cluster, membership } = world;
    const services = createMemberServices({ cluster, membership, log: silent });
    const isFor = (known: string): boolean =>
      known.endsWith("/") ? path.startsWith(known) : path === known;
    const chosen = services.find((service) => isFor(service.path))!;
    let reply: PeerReply | null = null;
    chosen.handle({ path, body: new Uint8Array(0), authorization: "" }, (given) => {
      reply = given;
    });
    return reply!;
  };
  const shown = (reply: PeerReply): string =>
    `${reply.status} ${new TextDecoder().decode(reply.body)}`;

  test("is answered in etcd's words", () => {
    const world = new World(1);
    world.cluster.setAttributes(1n, "m1", ["http://c:1"]);
    assert.equal(
      shown(ask(world, "/members")),
      '200 [{"id":1,"peerURLs":["http://h1:1"],"name":"m1","clientURLs":["http://c:1"]}]\n',
    );
    const version = (cluster: string): string =>
      `200 {"etcdserver":"3.7.1","etcdcluster":"${cluster}","storage":"3.7.0"}`;
    assert.equal(shown(ask(world, "/version")), version("not_decided"));
    world.cluster.setVersion("3.7.0");
    assert.equal(shown(ask(world, "/version")), version("3.7.0"));
    assert.equal(shown(ask(world, "/downgrade/enabled")), "200 false");
    assert.equal(shown(ask(world, "/members/promote/5")), "404 membership: ID not found\n");
    assert.equal(
      shown(ask(world, "/members/promote/1")),
      "412 membership: can only promote a learner member\n",
    );
    for (const id of ["x", "", "-1", "18446744073709551616"]) {
      const expected = `404 member ${id} not found in cluster\n`;
      assert.equal(shown(ask(world, `/members/promote/${id}`)), expected);
    }
  });
});
