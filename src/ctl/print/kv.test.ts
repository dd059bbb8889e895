import assert from "node:assert/strict";
import { test } from "node:test";

import { ExitError } from "../../cli/run.ts";
import type { KeyValueMessage } from "../wire/schemas.ts";
import { showDelete, showGet, showPut, showTxn, showWatch } from "./kv.ts";
import type { Shown, Style } from "./shown.ts";
import { parseFormat, render } from "./shown.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const header = { cluster_id: 1n, member_id: 10n, revision: 12n, raft_term: 2n };
const headerText = `{"cluster_id":1,"member_id":10,"revision":12,"raft_term":2}`;
const headerLines = `"ClusterID" : 1\n"MemberID" : 10\n"Revision" : 12\n"RaftTerm" : 2\n`;

const foo: KeyValueMessage = {
  ...{ key: utf8("foo"), value: utf8("bar2"), lease: 0n },
  ...{ create_revision: 12n, mod_revision: 12n, version: 1n },
};
const fooJson = `{"key":"Zm9v","create_revision":12,"mod_revision":12,"version":1,"value":"YmFyMg=="}`;
const fooLines = (prefix: string): string =>
  [
    ...[`"${prefix}Key" : "foo"`, `"${prefix}CreateRevision" : 12`, `"${prefix}ModRevision" : 12`],
    ...[`"${prefix}Version" : 1`, `"${prefix}Value" : "bar2"`, `"${prefix}Lease" : 0`, ""],
  ].join("\n");

function text(shown: Shown, format: Style["format"], more: Partial<Style> = {}): string {
  return new TextDecoder().decode(render(shown, { format, isHex: false, ...more }));
}

const get = showGet({ header, kvs: [foo], more: false, count: 1n });

test("get prints keys and values in each format", () => {
  assert.equal(text(get, "simple"), "foo\nbar2\n");
  assert.equal(text(get, "simple", { isValueOnly: true }), "bar2\n");
  const hex = "\\x66\\x6f\\x6f\n\\x62\\x61\\x72\\x32\n";
  assert.equal(text(get, "simple", { isHex: true }), hex);
  assert.equal(text(get, "json"), `{"header":${headerText},"kvs":[${fooJson}],"count":1}\n`);
  const fields = `${headerLines}${fooLines("")}"More" : false\n"Count" : 1\n`;
  assert.equal(text(get, "fields"), fields);
  assert.match(text(get, "fields", { isHex: true }), /"MemberID" : a\n[^]*"Lease" : 0{16}\n/);
});

test("a format that a result lacks is refused by name", () => {
  const refusal = new ExitError(4, "table not supported as output format");
  assert.throws(() => render(get, { format: "table", isHex: false }), refusal);
  assert.throws(() => parseFormat("nosuch"), new ExitError(4, "unsupported output format"));
});

test("raw bytes of keys and values are printed as they are", () => {
  const raw = { ...foo, key: Uint8Array.of(0xff, 0), value: Uint8Array.of(0xfe) };
  const shown = showGet({ header, kvs: [raw], more: false, count: 1n });
  const want = Uint8Array.of(0xff, 0, 10, 0xfe, 10);
  assert.deepEqual(render(shown, { format: "simple", isHex: false }), want);
});

test("put and del print what was there before", () => {
  const put = showPut({ header, prev_kv: foo });
  assert.equal(text(put, "simple"), "OK\nfoo\nbar2\n");
  assert.equal(text(put, "fields"), headerLines + fooLines("Prev"));
  assert.equal(text(showPut({ header, prev_kv: null }), "json"), `{"header":${headerText}}\n`);
  const del = showDelete({ header, deleted: 1n, prev_kvs: [foo] });
  assert.equal(text(del, "simple"), "1\nfoo\nbar2\n");
  assert.equal(text(del, "fields"), `${headerLines}"Deleted" : 1\n${fooLines("Prev")}`);
});

test("a transaction prints each of its answers behind an empty line", () => {
  const none = { response_range: null, response_put: null, response_delete_range: null };
  const inside = { cluster_id: 0n, member_id: 0n, revision: 16n, raft_term: 0n };
  const txn = showTxn({
    header,
    succeeded: true,
    responses: [
      { ...none, response_put: { header: inside, prev_kv: null }, response_txn: null },
      {
        ...{ ...none, response_txn: null },
        response_delete_range: { header: inside, deleted: 1n, prev_kvs: [] },
      },
    ],
  });
  assert.equal(text(txn, "simple"), "SUCCESS\n\nOK\n\n1\n");
  const put = `{"Response":{"response_put":{"header":{"revision":16}}}}`;
  const del = `{"Response":{"response_delete_range":{"header":{"revision":16},"deleted":1}}}`;
  const json = `{"header":${headerText},"succeeded":true,"responses":[${put},${del}]}\n`;
  assert.equal(text(txn, "json"), json);
});

test("a watch prints its events, and in json what else is known of the answer", () => {
  const answer = { header, events: [], compactRevision: 3n, isCanceled: true, cancelReason: "" };
  const end = `"CompactRevision":3,"Canceled":true,"Created":false,"CancelReason":""`;
  assert.equal(text(showWatch(answer), "json"), `{"Header":${headerText},"Events":null,${end}}\n`);
  const events = [{ type: 1, kv: { ...foo, value: utf8("") }, prev_kv: foo }];
  const deleted = showWatch({ ...answer, events });
  assert.equal(text(deleted, "simple"), "DELETE\nfoo\nbar2\nfoo\n\n");
});
