import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { suite, test } from "node:test";
import { silent } from "../../test/mvcc/rig.ts";
import { utf8 } from "../base/bytes.ts";
import { decodeConfChange } from "../codec/conf-change.ts";
import {
  bootstrap,
  bootstrapChanges,
  firstMembers,
  planBootstrap,
  refuseLearners,
  remotePeerUrls,
  type BootstrapPlan,
  type ExistingData,
} from "./bootstrap.ts";
import type { BootstrapSettings } from "./config/initial-cluster.ts";
import { parseUrls } from "./config/urls.ts";
import type { HttpAnswer, HttpGet, RemoteCluster } from "./join.ts";
import { encodeMembers, type Member } from "./member/member.ts";

const sha1 = (bytes: Uint8Array): Uint8Array => createHash("sha1").update(bytes).digest();

const three =
  "infra0=http://10.0.1.10:2380,infra1=http://10.0.1.11:2380,infra2=http://10.0.1.12:2380";

const settings = (more: Partial<BootstrapSettings> = {}): BootstrapSettings => ({
  name: "infra0",
  initialCluster: three,
  initialClusterState: "new",
  initialClusterToken: "etcd-cluster-1",
  initialAdvertisePeerUrls: parseUrls("http://10.0.1.10:2380"),
  maxLearners: 1,
  forceNewCluster: false,
  ...more,
});

const joining = settings({ initialClusterState: "existing" });

/** Members 10, 11 and 12 of cluster 77, at the URLs of `three`. */
function running(change: (members: Member[]) => void = () => undefined): RemoteCluster {
  const members = [10n, 11n, 12n].map((id) => ({
    ...{ id, peerUrls: [`http://10.0.1.${id}:2380`], isLearner: false },
    ...{ name: id === 10n ? "" : `other${id}`, clientUrls: id === 10n ? [] : ["http://c:1"] },
  }));
  change(members);
  return { clusterId: 77n, members };
}

suite("ids of a new cluster", () => {
  // Computed by Go etcd 3.7.1 for the same settings.
  const vectors: [token: string, cluster: string, id: bigint, members: [string, bigint][]][] = [
    [
      "etcd-cluster",
      "default=http://localhost:2380",
      0xcdf818194e3a8c32n,
      [["default", 10276657743932975437n]],
    ],
    [
      "etcd-cluster-1",
      three,
      0xacccc8912db0cd57n,
      [
        ["infra2", 621673891845438583n],
        ["infra0", 1445635409659065949n],
        ["infra1", 15410297086126607913n],
      ],
    ],
    [
      "t",
      "b=http://127.0.0.1:2,b=http://127.0.0.1:1,a=https://host.example:2380,c=unix://c.sock:1",
      0x913505fb22326e56n,
      [
        ["a", 10291705043984126642n],
        ["b", 10580355644653943274n],
        ["c", 13221527839519570955n],
      ],
    ],
    [
      "",
      "m1=http://[::1]:2380,m2=http://[fe80::1]:2380",
      0xe9c99f0dfd04de9dn,
      [
        ["m2", 2602713591518085243n],
        ["m1", 7729187731300327247n],
      ],
    ],
  ];

  test("are those of Go etcd", () => {
    for (const [initialClusterToken, initialCluster, id, members] of vectors) {
      const name = members[0]![0];
      const url = initialCluster
        .split(",")
        .filter((pair) => pair.startsWith(`${name}=`))
        .map((pair) => pair.slice(name.length + 1));
      const initialAdvertisePeerUrls = parseUrls(url.join());
      const plan = planBootstrap(
        settings({ name, initialCluster, initialClusterToken, initialAdvertisePeerUrls }),
        ...[null, null, sha1],
      );
      assert.equal(plan.clusterId, id);
      assert.equal(plan.memberId, members[0]![1]);
      assert.deepEqual(
        plan.firstMembers.map((m) => [m.name, m.id]),
        members,
      );
    }
  });

  test("are in the first entries, ascending, with Go's context", () => {
    const changes = bootstrapChanges(firstMembers(settings(), sha1));
    const texts = changes.map(({ data }) =>
      new TextDecoder().decode(decodeConfChange(data).context),
    );
    assert.equal(
      texts[0],
      '{"id":621673891845438583,"peerURLs":["http://10.0.1.12:2380"],"name":"infra2"}',
    );
    assert.deepEqual(
      changes.map(({ change }) => change.nodeId),
      [621673891845438583n, 1445635409659065949n, 15410297086126607913n],
    );
    assert.deepEqual(firstMembers(joining, sha1), []);
  });
});

suite("a member without data", () => {
  const plan = (config: BootstrapSettings, remote: RemoteCluster | null): BootstrapPlan =>
    planBootstrap(config, null, remote, sha1);

  test("starts a new cluster when nobody answers, or nobody knows it as running", () => {
    const fresh = plan(settings(), null);
    assert.equal(fresh.kind, "new");
    assert.equal(fresh.peers.length, 2);
    const known = running((members) => {
      members[0] = { ...members[0]!, id: fresh.memberId, name: "infra0" };
    });
    assert.equal(plan(settings(), known).kind, "new");
  });

  test("never starts under an id that has run, neither new nor joining", () => {
    const id = plan(settings(), null).memberId;
    const asNew = running((members) => {
      members[0] = { ...members[0]!, id, clientUrls: ["http://c:1"] };
    });
    const message = /^member 140fedbeeb74765d has already been bootstrapped$/;
    assert.throws(() => plan(settings(), asNew), { message });
    const asJoined = running((members) => {
      members[0] = { ...members[0]!, clientUrls: ["http://c:1"] };
    });
    assert.throws(() => plan(joining, asJoined), {
      message: "member a has already been bootstrapped",
    });
  });

  test("joins under the ids of the running cluster, found by the peer URLs", () => {
    const { kind, clusterId, memberId, peers, firstMembers: first } = plan(joining, running());
    assert.deepEqual([kind, clusterId, memberId, first], ["join", 77n, 10n, []]);
    assert.deepEqual(
      peers.map((m) => m.id),
      [11n, 12n],
    );
  });

  test("does not join a cluster of other members", () => {
    const refusal = (change: (members: Member[]) => void): string => {
      try {
        plan(joining, running(change));
      } catch (error) {
        return (error as Error).message;
      }
      return "joined";
    };
    const shown =
      "error validating peerURLs {ClusterID:4d Members:[" +
      "&{ID:a RaftAttributes:{PeerURLs:[http://10.0.1.10:2380] IsLearner:false} Attributes:{Name: ClientURLs:[]}} " +
      "&{ID:b RaftAttributes:{PeerURLs:[http://10.0.1.11:2380] IsLearner:false} Attributes:{Name:other11 ClientURLs:[http://c:1]}}" +
      "] RemovedMemberIDs:[]}: member count is unequal";
    assert.equal(
      refusal((members) => members.pop()),
      shown,
    );
    assert.match(
      refusal((members) => (members[2] = { ...members[2]!, peerUrls: ["http://x:1"] })),
      /: PeerURLs: no match found for existing member \(c, \[http:\/\/x:1\]\), last resolver error \(resolved urls: "http:\/\/x:1" != "http:\/\/10.0.1.11:2380"\)$/,
    );
    const learners = (members: Member[]): void => {
      for (const i of [0, 1]) members[i] = { ...members[i]!, isLearner: true };
    };
    assert.equal(refusal(learners), "membership: too many learner members in cluster");
    const { members } = running(learners);
    assert.match(refuseLearners(members, 1)?.message ?? "", /too many learner members/);
    assert.equal(refuseLearners(members, 2), null);
  });
});

suite("a member with data", () => {
  const data: ExistingData = { clusterId: 5n, memberId: 6n, isEmpty: false };

  test("restarts as who it is, whatever the settings say", () => {
    for (const config of [settings(), joining, settings({ initialCluster: "nonsense" })]) {
      const { kind, clusterId, memberId } = planBootstrap(config, data, null, sha1);
      assert.deepEqual([kind, clusterId, memberId], ["restart", 5n, 6n]);
    }
  });

  test("restarts alone if told to; without data that setting has no use", () => {
    const forced = settings({ forceNewCluster: true });
    assert.equal(planBootstrap(forced, data, null, sha1).kind, "forceNew");
    assert.equal(planBootstrap(forced, null, null, sha1).kind, "new");
  });

  test("that has only ids goes on as what it began, or not at all", () => {
    const { clusterId, memberId } = planBootstrap(settings(), null, null, sha1);
    const begun = { clusterId, memberId, isEmpty: true };
    assert.equal(planBootstrap(settings(), begun, null, sha1).kind, "new");
    const other = { ...begun, memberId: 6n };
    assert.throws(() => planBootstrap(settings(), other, null, sha1), /belongs to member 6/);
  });
});

suite("asking the other members", () => {
  interface Asked {
    readonly urls: string[];
    readonly error: string | null;
    readonly plan: BootstrapPlan | null;
  }
  const page = (text: string, clusterId = ""): HttpAnswer => ({
    ...{ status: 200, clusterId, body: utf8(text) },
  });

  function ask(
    config: BootstrapSettings,
    pages: Readonly<Record<string, HttpAnswer>>,
    existing: ExistingData | null = null,
  ): Asked {
    const urls: string[] = [];
    const get: HttpGet = (url, _timeoutMs, done) => {
      urls.push(url.replace("http://10.0.1.", ""));
      const answer = pages[urls.at(-1)!];
      if (answer === undefined) done(new Error("refused"), null as unknown as HttpAnswer);
      else done(null, answer);
    };
    let result: Asked | null = null;
    const parts = { config, existing, get, log: silent, sha1, requestTimeoutMs: 7000 };
    bootstrap(parts, (error, plan) => {
      assert.equal(result, null);
      result = { urls, error: error?.message ?? null, plan };
    });
    return result!;
  }

  const members = page(encodeMembers(running().members), "4d");
  const version = (cluster: string): HttpAnswer => page(`{"etcdcluster":"${cluster}"}`);

  test("asks all others, in order, until one answers with a cluster", () => {
    assert.deepEqual(remotePeerUrls(settings()), [
      "http://10.0.1.11:2380",
      "http://10.0.1.12:2380",
    ]);
    const { urls, plan } = ask(joining, {
      "11:2380/members": page("<html>"),
      "12:2380/members": members,
      "11:2380/version": version("not_decided"),
      "12:2380/version": version("3.7.0"),
    });
    assert.equal(plan?.kind, "join");
    assert.deepEqual(urls.slice(0, 4), [
      ...["11:2380/members", "12:2380/members", "11:2380/version", "12:2380/version"],
    ]);
  });

  test("does not join without an answer, or without a cluster id", () => {
    const cannot = "cannot fetch cluster info from peer urls: ";
    const nothing = `${cannot}could not retrieve cluster information from the given URLs`;
    assert.equal(ask(joining, {}).error, nothing);
    const noId = { "11:2380/members": page(encodeMembers(running().members)) };
    assert.equal(ask(joining, noId).error, nothing);
    assert.equal(
      ask(joining, { "11:2380/members": page("[]", "4d") }).error,
      `${cannot}failed to get raft cluster member(s) from the given URLs`,
    );
  });

  test("joins only where some member speaks a version that it knows, and none another one", () => {
    const join = (a: HttpAnswer | null, b: HttpAnswer | null, more = {}): string | null =>
      ask(joining, {
        "11:2380/members": members,
        ...(a === null ? {} : { "11:2380/version": a }),
        ...(b === null ? {} : { "12:2380/version": b }),
        ...more,
      }).error;
    const refused = "incompatible with current running cluster";
    assert.equal(join(version("3.6.0"), null), null);
    assert.equal(join(null, null), refused);
    assert.equal(join(version("not_decided"), null), refused);
    assert.equal(join(version("3.7.0"), version("3.8.0")), refused);
    assert.equal(join(version("2.3.0"), version("3.7.0")), refused);
    const downgrade = { "12:2380/downgrade/enabled": page("true") };
    assert.equal(join(version("3.8.0"), null, downgrade), null);
    assert.equal(join(version("3.7.0"), null, downgrade), refused);
  });

  test("starts a new cluster whoever does not answer, asking nobody when it is alone", () => {
    assert.equal(ask(settings(), {}).plan?.kind, "new");
    const alone = settings({ initialCluster: "infra0=http://10.0.1.10:2380" });
    assert.deepEqual(ask(alone, {}).urls, []);
  });

  test("asks nobody when there is data, or the settings are wrong", () => {
    const data = { clusterId: 5n, memberId: 6n, isEmpty: false };
    const restart = ask(joining, {}, data);
    assert.deepEqual([restart.plan?.kind, restart.urls], ["restart", []]);
    const wrong = ask(settings({ name: "x" }), {});
    assert.match(wrong.error ?? "", /couldn't find local name "x"/);
    assert.deepEqual(wrong.urls, []);
  });
});
