import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { errTimeout } from "../../base/etcd-errors.ts";
import { MetricRegistry } from "../../base/metrics.ts";
import type { HttpResponse } from "../../http2/types.ts";
import { createServerMetrics } from "../metrics/names.ts";
import { createHttpHandlers } from "./handlers.ts";
import type { HealthSource } from "./health-source.ts";

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: ReadonlyMap<string, string>;
}

function setup(state: Partial<HealthSource> = {}): {
  registry: MetricRegistry;
  ask: (url: string, method?: string, port?: "client" | "metricsOnly") => Answer;
} {
  const registry = new MetricRegistry();
  const health: HealthSource = {
    alarms: () => [],
    hasLeader: () => true,
    isLearner: () => false,
    read: (_, done) => {
      done(null);
    },
    versions: () => ({ server: "3.7.1", cluster: "3.7.0", storage: "3.7.0" }),
    ...state,
  };
  const handlers = createHttpHandlers({ health, registry, metrics: createServerMetrics(registry) });
  return {
    registry,
    ask: (url, method = "GET", port = "client") => {
      const { pathname: path, searchParams: query } = new URL(url, "http://q");
      const request = {
        method,
        path,
        query,
        headers: new Map<string, string>(),
        body: new Uint8Array(),
      };
      const answers: HttpResponse[] = [];
      handlers[port](request, (response) => answers.push(response));
      assert.equal(answers.length, 1);
      const { status, body, headers } = answers[0]!;
      return { status, body: new TextDecoder().decode(body), headers: new Map(headers) };
    },
  };
}

const slow: HealthSource["read"] = (_, done) => {
  done(errTimeout);
};
const onlyLinearizableSlow: HealthSource["read"] = (isLinearizable, done) => {
  done(isLinearizable ? errTimeout : null);
};

suite("/version", () => {
  test("states server, cluster and storage version", () => {
    const { status, body, headers } = setup().ask("/version");
    assert.equal(status, 200);
    assert.equal(body, '{"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0"}');
    assert.equal(headers.get("content-type"), "application/json");
    assert.equal(headers.get("access-control-allow-origin"), "*");
  });

  test("says what is not decided yet", () => {
    const versions = (): ReturnType<HealthSource["versions"]> => ({
      server: "3.7.1",
      cluster: null,
      storage: null,
    });
    const { body } = setup({ versions }).ask("/version");
    assert.equal(body, '{"etcdserver":"3.7.1","etcdcluster":"not_decided","storage":"unknown"}');
  });

  test("is not there on the metrics port", () => {
    assert.equal(setup().ask("/version", "GET", "metricsOnly").status, 404);
  });
});

suite("/health", () => {
  test("is well when a read succeeds", () => {
    const { status, body } = setup().ask("/health");
    assert.deepEqual([status, body], [200, '{"health":"true","reason":""}']);
  });

  test("names the first failure: alarm, leader, read", () => {
    const alarms = (): readonly ("NOSPACE" | "CORRUPT")[] => ["NOSPACE"];
    const hasLeader = (): boolean => false;
    const bodies = [
      setup({ alarms, hasLeader, read: slow }),
      setup({ hasLeader, read: slow }),
      setup({ read: slow }),
    ].map(({ ask }) => {
      const { status, body } = ask("/health");
      return `${status} ${body}`;
    });
    assert.deepEqual(bodies, [
      '503 {"health":"false","reason":"ALARM NOSPACE"}\n',
      '503 {"health":"false","reason":"RAFT NO LEADER"}\n',
      '503 {"health":"false","reason":"RANGE ERROR:etcdserver: request timed out"}\n',
    ]);
  });

  test("leaves out excluded alarms, and with serializable the leader", () => {
    const hasLeader = (): boolean => false;
    const sick = setup({ alarms: () => ["CORRUPT"], hasLeader, read: onlyLinearizableSlow });
    assert.equal(sick.ask("/health?exclude=CORRUPT&exclude=FOO&serializable=true").status, 200);
    assert.equal(sick.ask("/health?exclude=NOSPACE&serializable=true").status, 503);
    assert.equal(sick.ask("/health?exclude=CORRUPT").status, 503);
  });

  test("is counted", () => {
    const { ask, registry } = setup();
    ask("/health");
    assert.match(registry.text(), /^etcd_server_health_success 1$/m);
  });
});

suite("/livez and /readyz", () => {
  test("answer ok, with their checks when verbose", () => {
    const { ask } = setup();
    assert.equal(ask("/livez").body, "ok\n");
    assert.equal(ask("/livez?verbose").body, "[+]serializable_read ok\nok\n");
    assert.equal(
      ask("/readyz?verbose&exclude=non_learner").body,
      "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\nok\n",
    );
    assert.equal(ask("/readyz/non_learner?verbose").body, "[+]non_learner ok\nok\n");
  });

  test("a failure lists every check, verbose or not", () => {
    const { status, body } = setup({ alarms: () => ["CORRUPT"] }).ask(
      "/readyz?exclude=non_learner",
    );
    assert.equal(status, 503);
    assert.equal(
      body,
      "[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n[+]linearizable_read ok\n\n",
    );
  });

  test("excluding takes a check out, but not one asked for by name", () => {
    const { ask } = setup({ isLearner: () => true });
    assert.equal(ask("/readyz").status, 503);
    assert.equal(ask("/readyz?exclude=non_learner&exclude=foo").status, 200);
    assert.equal(ask("/readyz/non_learner?exclude=non_learner").status, 503);
  });

  test("no space leaves a member ready", () => {
    assert.equal(setup({ alarms: () => ["NOSPACE"] }).ask("/readyz").status, 200);
  });

  test("a member without quorum is alive and not ready", () => {
    const { ask } = setup({ read: onlyLinearizableSlow });
    assert.equal(ask("/livez").status, 200);
    assert.equal(ask("/readyz").status, 503);
  });

  test("checks are counted by result", () => {
    const { ask, registry } = setup({ isLearner: () => true });
    ask("/readyz");
    assert.match(
      registry.text(),
      /^etcd_server_healthchecks_total\{name="non_learner",status="error",type="readyz"\} 1$/m,
    );
  });
});

suite("other requests", () => {
  test("a path nobody has is not found", () => {
    for (const path of ["/", "/healthz", "/readyz/foo", "/health/", "/v2/keys"]) {
      const { status, body } = setup().ask(path);
      assert.deepEqual([status, body], [404, "404 page not found\n"]);
    }
  });

  test("only GET is allowed on health and version pages", () => {
    for (const path of ["/health", "/livez", "/readyz", "/version"]) {
      const { status, body, headers } = setup().ask(path, "HEAD");
      assert.deepEqual([status, body], [405, "Method Not Allowed\n"]);
      assert.equal(headers.get("allow"), "GET");
    }
  });

  test("OPTIONS is answered everywhere", () => {
    assert.equal(setup().ask("/anything", "OPTIONS").status, 200);
  });

  test("metrics are text for Prometheus", () => {
    const { status, body, headers } = setup().ask("/metrics", "GET", "metricsOnly");
    assert.equal(status, 200);
    assert.match(headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    assert.match(body, /^# TYPE etcd_server_has_leader gauge\netcd_server_has_leader 0$/m);
  });
});
