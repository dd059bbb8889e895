import assert from "node:assert/strict";
import { test } from "node:test";

import { parseEndpoint } from "./endpoints.ts";

test("an endpoint is host and port, with or without a scheme, or a socket's path", () => {
  const cases: [text: string, target: string, host: string, tls: string][] = [
    ["127.0.0.1:2379", "dns:127.0.0.1:2379", "127.0.0.1", "optional"],
    ["etcd-0.etcd:4001", "dns:etcd-0.etcd:4001", "etcd-0.etcd", "optional"],
    ["localhost", "dns:localhost:2379", "localhost", "optional"],
    ["[::1]:2379", "dns:[::1]:2379", "::1", "optional"],
    ["http://10.0.0.1:2379/", "dns:10.0.0.1:2379", "10.0.0.1", "no"],
    ["https://etcd:443", "dns:etcd:443", "etcd", "yes"],
    ["https://[fe80::1]:2379", "dns:[fe80::1]:2379", "fe80::1", "yes"],
    ["unix:///run/etcd.sock", "unix:/run/etcd.sock", "etcd.sock", "optional"],
    ["unix:etcd.sock", "unix:etcd.sock", "etcd.sock", "optional"],
    ["unixs:///run/etcd.sock", "unix:/run/etcd.sock", "etcd.sock", "yes"],
  ];
  for (const [text, target, host, tls] of cases) {
    const endpoint = parseEndpoint(text);
    assert.deepEqual(
      [endpoint.text, endpoint.target, endpoint.host, endpoint.tls],
      [text, target, host, tls],
    );
  }
});

test("what is no endpoint is refused by its text", () => {
  for (const text of ["", "ftp://h:1", "h:70000", "::1:2379", "http://", "h:1/path", "a b:1"]) {
    assert.throws(() => parseEndpoint(text), { name: "TypeError" }, text);
  }
});
