import assert from "node:assert/strict";
import { test } from "node:test";
import { doubling, MetricRegistry } from "./metrics.ts";

test("the text is Prometheus' format, families and labels in order", () => {
  const registry = new MetricRegistry();
  const puts = registry.counter("b_total", "Puts.");
  const calls = registry.counters("a_total", "Calls.", ["type", "code"]);
  const age = registry.gauge("c", "Age.");
  puts.value += 2;
  calls.with("unary", 'O"K\\').value++;
  registry.onCollect(() => {
    age.value = 1_048_576;
  });
  assert.equal(
    registry.text(),
    [
      "# HELP a_total Calls.",
      "# TYPE a_total counter",
      'a_total{code="O\\"K\\\\",type="unary"} 1',
      "# HELP b_total Puts.",
      "# TYPE b_total counter",
      "b_total 2",
      "# HELP c Age.",
      "# TYPE c gauge",
      "c 1.048576e+06",
      "",
    ].join("\n"),
  );
});

test("a histogram cumulates its buckets, a bound belongs to its bucket", () => {
  const registry = new MetricRegistry();
  const seconds = registry.histogram("d", "Time.", doubling(0.001, 3));
  for (const value of [0.0005, 0.001, 0.003, 5]) seconds.observe(value);
  assert.deepEqual(registry.text().split("\n").slice(2, -1), [
    'd_bucket{le="0.001"} 2',
    'd_bucket{le="0.002"} 2',
    'd_bucket{le="0.004"} 3',
    'd_bucket{le="+Inf"} 4',
    "d_sum 5.0045",
    "d_count 4",
  ]);
});

test("a labelled family shows up with its first metric, which stays the same object", () => {
  const registry = new MetricRegistry();
  const family = registry.gauges("e", "E.", ["x"]);
  assert.equal(registry.text(), "\n");
  assert.equal(family.with("1"), family.with("1"));
  assert.notEqual(family.with("1"), family.with("2"));
});

test("numbers print as Go prints floats", () => {
  const registry = new MetricRegistry();
  const gauge = registry.gauge("n", "N.");
  const printed = [0, 131072, 1e6, 0.0001, 0.00001, -1.5, Infinity, 2147483648].map((value) => {
    gauge.value = value;
    return registry.text().split("\n")[2]?.slice(2);
  });
  const wanted = ["0", "131072", "1e+06", "0.0001", "1e-05", "-1.5", "+Inf", "2.147483648e+09"];
  assert.deepEqual(printed, wanted);
});

test("a name is registered once", () => {
  const registry = new MetricRegistry();
  registry.counter("x", "X.");
  assert.throws(() => registry.gauge("x", "X."), /exists already/);
});
