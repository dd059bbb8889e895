/** Results of the endpoint commands, one entry for each endpoint asked. */
import { humanBytes } from "../../cli/humanize.ts";
import { goQuote } from "../../cli/go-quote.ts";
import { renderTable } from "../../cli/table.ts";
import type { HashKvResponse, StatusResponse } from "../wire/schemas.ts";
import { hashKvResponse, statusResponse } from "../wire/schemas.ts";
import { headerFields, hexId } from "./fields.ts";
import type { GoJson } from "./go-json.ts";
import { messageJson } from "./go-json.ts";
import type { Shown } from "./shown.ts";

export interface Health {
  readonly endpoint: string;
  readonly isHealthy: boolean;
  /** As Go prints a duration; empty when nothing was asked. */
  readonly took: string;
  /** Empty: none. */
  readonly error: string;
}

/** Endpoints that are not healthy go to standard error in `simple`: the caller prints those. */
export function showHealth(list: readonly Health[]): Shown {
  return {
    simple: (page) => {
      for (const { endpoint, took, error } of list) {
        if (error !== "") continue;
        page.line(`${endpoint} is healthy: successfully committed proposal: took = ${took}`);
      }
    },
    fields: (page) => {
      for (const { endpoint, isHealthy, took, error } of list) {
        page.line(`"Endpoint" : ${goQuote(endpoint)}`);
        page.line(`"Health" : ${isHealthy}`);
        page.line(`"Took" : ${took}`);
        page.line(`"Error" : ${error}`);
        page.line();
      }
    },
    table: () => {
      const rows = list.map((h) => [h.endpoint, String(h.isHealthy), h.took, h.error]);
      return renderTable(["endpoint", "health", "took", "error"], rows);
    },
    json: () =>
      listJson(list, ({ endpoint, isHealthy, took, error }) => ({
        endpoint,
        health: isHealthy,
        took,
        error: error === "" ? undefined : error,
      })),
  };
}

/** An empty list is Go's nil. */
function listJson<T>(list: readonly T[], toJson: (item: T) => GoJson): GoJson {
  return list.length === 0 ? null : list.map(toJson);
}

export interface Status {
  readonly endpoint: string;
  readonly response: StatusResponse;
}

const statusColumns = [
  ...["endpoint", "ID", "version", "storage version", "db size", "in use"],
  ...["percentage not in use", "quota", "is leader", "is learner", "raft term", "raft index"],
  ...["raft applied index", "errors", "downgrade target version", "downgrade enabled"],
];

function statusRow({ endpoint, response: r }: Status): string[] {
  const memberId = r.header?.member_id ?? 0n;
  // A member whose storage has no bytes at all is not known to exist: nothing is divided by zero.
  const used = r.dbSize === 0n ? 0n : (r.dbSizeInUse * 100n) / r.dbSize;
  return [
    ...[endpoint, hexId(memberId), r.version, r.storageVersion],
    ...[humanBytes(Number(r.dbSize)), humanBytes(Number(r.dbSizeInUse)), `${100n - used}%`],
    ...[humanBytes(Number(r.dbSizeQuota)), String(r.leader === memberId), String(r.isLearner)],
    ...[String(r.raftTerm), String(r.raftIndex), String(r.raftAppliedIndex)],
    ...[r.errors.join(", "), r.downgradeInfo?.targetVersion ?? ""],
    String(r.downgradeInfo?.enabled ?? false),
  ];
}

export function showStatus(list: readonly Status[]): Shown {
  return {
    simple: (page) => {
      for (const status of list) page.line(statusRow(status).join(", "));
    },
    fields: (page, style) => {
      for (const { endpoint, response: r } of list) {
        headerFields(page, r.header, style);
        page.line(`"Version" : ${goQuote(r.version)}`);
        page.line(`"StorageVersion" : ${goQuote(r.storageVersion)}`);
        page.line(`"DBSize" : ${r.dbSize}`);
        page.line(`"DBSizeInUse" : ${r.dbSizeInUse}`);
        page.line(`"DBSizeQuota" : ${r.dbSizeQuota}`);
        page.line(`"Leader" : ${r.leader}`);
        page.line(`"IsLearner" : ${r.isLearner}`);
        page.line(`"RaftIndex" : ${r.raftIndex}`);
        page.line(`"RaftTerm" : ${r.raftTerm}`);
        page.line(`"RaftAppliedIndex" : ${r.raftAppliedIndex}`);
        page.line(`"Errors" : [${r.errors.join(" ")}]`);
        page.line(`"Endpoint" : ${goQuote(endpoint)}`);
        const { targetVersion = "", enabled = false } = r.downgradeInfo ?? {};
        page.line(`"DowngradeTargetVersion" : ${goQuote(targetVersion)}`);
        page.line(`"DowngradeEnabled" : ${enabled}`);
        page.line();
      }
    },
    table: () => renderTable(statusColumns, list.map(statusRow)),
    json: () =>
      listJson(list, ({ endpoint, response }) => ({
        Endpoint: endpoint,
        Status: messageJson(statusResponse, response),
      })),
  };
}

export interface HashKv {
  readonly endpoint: string;
  readonly response: HashKvResponse;
}

function hashRow({ endpoint, response }: HashKv): string[] {
  return [endpoint, String(response.hash), String(response.hash_revision)];
}

export function showHashKv(list: readonly HashKv[]): Shown {
  return {
    simple: (page) => {
      for (const hash of list) page.line(hashRow(hash).join(", "));
    },
    fields: (page, style) => {
      for (const { endpoint, response } of list) {
        headerFields(page, response.header, style);
        page.line(`"Endpoint" : ${goQuote(endpoint)}`);
        page.line(`"Hash" : ${response.hash}`);
        page.line(`"HashRevision" : ${response.hash_revision}`);
        page.line();
      }
    },
    table: () => renderTable(["endpoint", "hash", "hash_revision"], list.map(hashRow)),
    json: () =>
      listJson(list, ({ endpoint, response }) => ({
        Endpoint: endpoint,
        HashKV: messageJson(hashKvResponse, response),
      })),
  };
}
