import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { ConfigOutcome, ServerConfig } from "./config.ts";
import { readConfig } from "./config.ts";
import { checkBootstrap } from "./initial-cluster.ts";

interface Given {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly file?: string;
}

function read(given: Given): ConfigOutcome {
  return readConfig({
    args: given.file === undefined ? (given.args ?? []) : ["--config-file", "c.yaml"],
    env: given.env ?? {},
    readFile: () => given.file ?? "",
    versionText: "etcd Version: 3.7.1\n",
  });
}

function config(given: Given): ServerConfig {
  const outcome = read(given);
  assert.equal(outcome.kind, "run", JSON.stringify(outcome));
  return outcome.config;
}

/** Exit code and the text a user reads: stderr's first line, or the error of the last log line. */
function refusal(given: Given): string {
  const outcome = read(given);
  assert.equal(outcome.kind, "exit", "was accepted");
  const { code, stderr, notes } = outcome;
  const note = notes.at(-1);
  const error = note?.fields["error"];
  const text = stderr === "" ? error : stderr.split("\n")[0];
  return `${code} ${typeof text === "string" ? text : ""}`;
}

suite("defaults", () => {
  test("without any setting are etcd's", () => {
    const c = config({});
    assert.equal(c.dataDir, "default.etcd");
    assert.equal(c.quotaBackendBytes, 2_147_483_648);
    assert.equal(c.grpcKeepaliveIntervalMs, 7_200_000);
    assert.equal(c.backendBatchIntervalMs, 100);
    assert.deepEqual(
      c.listenClientUrls.map((u) => u.text),
      ["http://localhost:2379"],
    );
    assert.equal(c.featureGates.get("FastLeaseKeepAlive"), true);
    assert.equal(checkBootstrap(c), null);
  });

  test("the data directory and the initial cluster follow the name", () => {
    const c = config({ args: ["--name", "m1"] });
    assert.equal(c.dataDir, "m1.etcd");
    assert.equal(c.initialCluster, "m1=http://localhost:2380");
    assert.equal(checkBootstrap(c), null);
  });
});

suite("flags", () => {
  test("come in all of Go's forms", () => {
    const args = ["-name=a", "--data-dir", "d", "--pre-vote=false", "-unsafe-no-fsync"];
    const c = config({ args });
    assert.equal(c.name, "a");
    assert.equal(c.dataDir, "d");
    assert.equal(c.preVote, false);
    assert.equal(c.unsafeNoFsync, true);
  });

  test("numbers take Go's bases, durations its units", () => {
    const args = [
      "--max-txn-ops=0x10",
      "--quota-backend-bytes=-1",
      "--warning-apply-duration=1m1.5s",
    ];
    const c = config({ args });
    assert.equal(c.maxTxnOps, 16);
    assert.equal(c.quotaBackendBytes, Infinity);
    assert.equal(c.warningApplyDurationMs, 61_500);
  });

  test("the names of older lines still work", () => {
    const args = ["--experimental-watch-progress-notify-interval=5s"];
    assert.equal(config({ args }).watchProgressNotifyIntervalMs, 5_000);
  });

  const refusals: readonly (readonly [string, string])[] = [
    ["--foo", "2 flag provided but not defined: -foo"],
    ["--=x", "2 bad flag syntax: --=x"],
    ["--data-dir", "2 flag needs an argument: -data-dir"],
    ["--pre-vote=maybe", '2 invalid boolean value "maybe" for -pre-vote: parse error'],
    ["--heartbeat-interval=-1", '2 invalid value "-1" for flag -heartbeat-interval: parse error'],
    [
      "--quota-backend-bytes=99999999999999999999",
      '2 invalid value "99999999999999999999" for flag -quota-backend-bytes: value out of range',
    ],
    [
      "--max-concurrent-streams=5000000000",
      '2 invalid value "5000000000" for flag -max-concurrent-streams: strconv.ParseUint: parsing "5000000000": value out of range',
    ],
    [
      "--grpc-keepalive-timeout=5",
      '2 invalid value "5" for flag -grpc-keepalive-timeout: parse error',
    ],
    [
      "--initial-cluster-state=foo",
      '2 invalid value "foo" for flag -initial-cluster-state: invalid value',
    ],
    ["--log-level=foo", '2 unrecognized level: "foo"'],
    [
      "--feature-gates=Foo=true",
      '2 invalid value "Foo=true" for flag -feature-gates: unrecognized feature gate: Foo',
    ],
    [
      "--feature-gates=AllAlpha=x",
      '2 invalid value "AllAlpha=x" for flag -feature-gates: invalid value of AllAlpha=x, err: strconv.ParseBool: parsing "x": invalid syntax',
    ],
    [
      "--listen-client-urls=127.0.0.1:1",
      '2 invalid value "127.0.0.1:1" for flag -listen-client-urls: parse "127.0.0.1:1": first path segment in URL cannot contain colon',
    ],
    [
      "--listen-client-urls=http://127.0.0.1",
      '2 invalid value "http://127.0.0.1" for flag -listen-client-urls: URL address does not have the form "host:port": http://127.0.0.1',
    ],
    [
      "--listen-client-urls=http://a:b",
      '2 invalid value "http://a:b" for flag -listen-client-urls: parse "http://a:b": invalid port ":b" after host',
    ],
    [
      "--listen-client-urls=http://127.0.0.1:1/x",
      '2 invalid value "http://127.0.0.1:1/x" for flag -listen-client-urls: URL must not contain a path: http://127.0.0.1:1/x',
    ],
    [
      "--listen-peer-urls=http://a.example:1",
      "1 expected IP in URL for binding (http://a.example:1)",
    ],
    ["bar", '1 "bar" is not a valid flag'],
    ["--log-format=foo", "1 unknown log format: foo, supported values json, console"],
    ["--logger=foo", '1 unknown logger option "foo"'],
    ["--heartbeat-interval=0", "1 --heartbeat-interval must be >0 (set to 0ms)"],
    [
      "--heartbeat-interval=500",
      "1 --election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[500ms]",
    ],
    [
      "--election-timeout=50001",
      "1 --election-timeout[50001ms] is too long, and should be set less than 50000ms",
    ],
    [
      "--listen-client-urls=http://127.0.0.1:1",
      "1 --advertise-client-urls is required when --listen-client-urls is set explicitly",
    ],
    [
      "--initial-advertise-peer-urls=http://:1",
      '1 --initial-advertise-peer-urls "http://:1" must be "host:port" (unexpected empty host (http://:1))',
    ],
    ["--cert-file=c", "1 KeyFile and CertFile must both be present[key: , cert: c]"],
  ];
  for (const [arg, wanted] of refusals) {
    test(`${arg} is refused with etcd's text and exit code`, () => {
      assert.equal(refusal({ args: [arg] }), wanted);
    });
  }

  test("a flag of a missing part is refused by name unless it has its default", () => {
    assert.match(refusal({ args: ["--auth-token=jwt"] }), /^1 --auth-token is not supported/);
    assert.match(refusal({ args: ["--feature-gates=LeaseCheckpoint=true"] }), /LeaseCheckpoint/);
    assert.equal(config({ args: ["--auth-token=simple"] }).name, "default");
  });

  test("--version and --help end well and print", () => {
    const version = read({ args: ["--version"] });
    assert.deepEqual(version, {
      kind: "exit",
      code: 0,
      stdout: "etcd Version: 3.7.1\n",
      stderr: "",
      notes: [],
    });
    const help = read({ args: ["-h"] });
    assert.equal(
      help.kind === "exit" && help.code === 0 && help.stdout.includes("--data-dir"),
      true,
    );
  });

  test("IPv6 and unix sockets can be listened on", () => {
    const urls = "http://[::1]:2379,unix:///run/q.sock,http://0.0.0.0:1";
    const args = [`--listen-client-urls=${urls}`, "--advertise-client-urls=http://a.example:2379"];
    assert.deepEqual(
      config({ args }).listenClientUrls.map((u) => [u.scheme, u.host, u.path]),
      [
        ["http", "0.0.0.0:1", ""],
        ["http", "[::1]:2379", ""],
        ["unix", "", "/run/q.sock"],
      ],
    );
  });
});

suite("variables", () => {
  test("fill flags that are not given", () => {
    assert.equal(config({ env: { ETCD_NAME: "e", ETCD_MAX_TXN_OPS: "7" } }).maxTxnOps, 7);
  });

  test("beside the same flag are fatal", () => {
    const outcome = read({ args: ["--name", "a"], env: { ETCD_NAME: "b" } });
    assert.equal(outcome.kind, "exit");
    assert.deepEqual(outcome.notes.at(-1)?.level, "fatal");
    assert.deepEqual(outcome.notes.at(-1)?.fields, { "environment-variable": "ETCD_NAME" });
  });

  test("that do not parse are refused", () => {
    assert.equal(
      refusal({ env: { ETCD_HEARTBEAT_INTERVAL: "x" } }),
      '1 invalid value "x" for ETCD_HEARTBEAT_INTERVAL: parse error',
    );
  });

  test("that nobody knows are named in the log", () => {
    const notes = read({ env: { ETCD_FOO: "1", HOME: "/" } }).notes;
    assert.deepEqual(notes[0]?.fields, { "environment-variable": "ETCD_FOO" });
  });
});

suite("configuration file", () => {
  test("sets flags by name, durations in nanoseconds, TLS in a block", () => {
    const file = `name: f
watch-progress-notify-interval: 5000000000
log-outputs: [stdout]
listen-client-urls: https://127.0.0.1:3379
advertise-client-urls: https://127.0.0.1:3379
client-transport-security:
  cert-file: c.pem
  key-file: k.pem
  client-cert-auth: true
unknown-key: 1
`;
    const c = config({ file });
    assert.equal(c.watchProgressNotifyIntervalMs, 5_000);
    assert.deepEqual(c.logOutputs, ["stdout"]);
    assert.deepEqual(c.tls, {
      certFile: "c.pem",
      keyFile: "k.pem",
      trustedCaFile: "",
      clientCertAuth: true,
    });
  });

  test("hides variables", () => {
    assert.equal(config({ file: "name: f", env: { ETCD_NAME: "e" } }).name, "f");
  });

  const prefix = "1 error unmarshaling JSON: while decoding JSON: json: cannot unmarshal";
  const refusals: readonly (readonly [string, string])[] = [
    [
      "watch-progress-notify-interval: 5s",
      `${prefix} string into Go struct field configYAML.Config.watch-progress-notify-interval of type time.Duration`,
    ],
    [
      "heartbeat-interval: -1",
      `${prefix} number -1 into Go struct field configYAML.Config.heartbeat-interval of type uint`,
    ],
    ["name: 5", `${prefix} number into Go struct field configYAML.Config.name of type string`],
    [
      "client-transport-security: 3",
      `${prefix} number into Go struct field configYAML.configJSON.client-transport-security of type embed.securityConfig`,
    ],
    ["feature-gates: Foo=true", "1 unrecognized feature gate: Foo"],
    [
      "listen-client-urls: 127.0.0.1:1",
      '1 unexpected error setting up listen-client-urls: parse "127.0.0.1:1": first path segment in URL cannot contain colon',
    ],
    [
      "listen-client-urls: http://127.0.0.1:3379",
      "1 --advertise-client-urls is required when --listen-client-urls is set explicitly",
    ],
  ];
  for (const [file, wanted] of refusals) {
    test(`"${file}" is refused with etcd's text`, () => {
      assert.equal(refusal({ file }), wanted);
    });
  }

  test("that is no YAML is refused with its line", () => {
    assert.match(refusal({ file: "[" }), /^1 error converting YAML to JSON: yaml: line 1: /);
  });
});

suite("initial cluster", () => {
  const problem = (...args: string[]): string | null => checkBootstrap(config({ args }));

  test("must name this member", () => {
    assert.equal(
      problem("--name=x", "--initial-cluster=a=http://127.0.0.1:1"),
      `couldn't find local name "x" in the initial cluster configuration`,
    );
  });

  test("must agree with the advertised URLs", () => {
    assert.equal(
      problem("--initial-cluster=default=http://127.0.0.1:1"),
      '--initial-cluster has default=http://127.0.0.1:1 but missing from --initial-advertise-peer-urls=http://localhost:2380 (resolved urls: "http://localhost:2380" != "http://127.0.0.1:1")',
    );
    assert.match(
      problem("--initial-advertise-peer-urls=http://localhost:2380,http://localhost:2381") ?? "",
      /^--initial-advertise-peer-urls has http:\/\/localhost:2381 but missing from --initial-cluster=/,
    );
  });

  test("must parse", () => {
    assert.equal(
      problem("--initial-cluster=default"),
      "error setting up initial cluster: URL scheme must be http, https, unix, or unixs: ",
    );
  });

  test("may name several members, each URL once", () => {
    const cluster = "default=http://localhost:2380,b=http://localhost:2381";
    assert.equal(problem(`--initial-cluster=${cluster}`), null);
    assert.equal(
      problem(`--initial-cluster=${cluster},c=http://localhost:2381`),
      "initial cluster b=http://localhost:2381,c=http://localhost:2381,default=http://localhost:2380 has duplicate url",
    );
  });

  test("of a member that joins need not agree with the advertised URLs", () => {
    const cluster = "--initial-cluster=default=http://10.0.0.1:2380,b=http://10.0.0.2:2380";
    assert.equal(problem(cluster, "--initial-cluster-state=existing"), null);
    assert.match(problem(cluster) ?? "", /missing from --initial-advertise-peer-urls/);
    assert.match(
      problem(`${cluster},c=http://10.0.0.2:2380`, "--initial-cluster-state=existing") ?? "",
      /has duplicate url$/,
    );
  });
});
