/** Results of get, put, del, txn and watch. */
import { goQuote } from "../../cli/go-quote.ts";
import { encodeMessage } from "../wire/message.ts";
import type {
  DeleteRangeResponse,
  EventMessage,
  KeyValueMessage,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  TxnResponse,
} from "../wire/schemas.ts";
import {
  deleteRangeResponse,
  event,
  putResponse,
  rangeResponse,
  responseHeader,
  txnResponse,
  watchResponse,
} from "../wire/schemas.ts";
import { headerFields, keyValueFields } from "./fields.ts";
import type { GoJson } from "./go-json.ts";
import { messageJson } from "./go-json.ts";
import type { Page, Piece } from "./page.ts";
import type { Shown, Style } from "./shown.ts";
import { asMessage } from "./shown.ts";

export function showGet(response: RangeResponse): Shown {
  return {
    simple: (page, style) => {
      for (const kv of response.kvs) pairLines(page, kv, style);
    },
    fields: (page, style) => {
      headerFields(page, response.header, style);
      for (const kv of response.kvs) keyValueFields(page, "", kv, style);
      page.line(`"More" : ${response.more}`);
      page.line(`"Count" : ${response.count}`);
    },
    ...asMessage(rangeResponse, response),
  };
}

export function showPut(response: PutResponse): Shown {
  return {
    simple: (page, style) => {
      page.line("OK");
      if (response.prev_kv !== null) pairLines(page, response.prev_kv, style);
    },
    fields: (page, style) => {
      headerFields(page, response.header, style);
      if (response.prev_kv !== null) keyValueFields(page, "Prev", response.prev_kv, style);
    },
    ...asMessage(putResponse, response),
  };
}

export function showDelete(response: DeleteRangeResponse): Shown {
  return {
    simple: (page, style) => {
      page.line(String(response.deleted));
      for (const kv of response.prev_kvs) pairLines(page, kv, style);
    },
    fields: (page, style) => {
      headerFields(page, response.header, style);
      page.line(`"Deleted" : ${response.deleted}`);
      for (const kv of response.prev_kvs) keyValueFields(page, "Prev", kv, style);
    },
    ...asMessage(deleteRangeResponse, response),
  };
}

export function showTxn(response: TxnResponse): Shown {
  return {
    simple: (page, style) => {
      page.line(response.succeeded ? "SUCCESS" : "FAILURE");
      for (const op of response.responses) {
        page.line();
        showOp(op)?.simple(page, style);
      }
    },
    fields: (page, style) => {
      headerFields(page, response.header, style);
      page.line(`"Succeeded" : ${response.succeeded}`);
      for (const op of response.responses) showOp(op)?.fields?.(page, style);
    },
    ...asMessage(txnResponse, response),
    json: () => txnJson(response),
  };
}

/** The transactions that `ctl` can make hold no transactions. */
function showOp(op: ResponseOp): Shown | undefined {
  if (op.response_range !== null) return showGet(op.response_range);
  if (op.response_put !== null) return showPut(op.response_put);
  if (op.response_delete_range !== null) return showDelete(op.response_delete_range);
  return undefined;
}

function txnJson(response: TxnResponse): GoJson {
  const { header, succeeded, responses } = response;
  return {
    header: header === null ? undefined : messageJson(responseHeader, header),
    succeeded: succeeded ? true : undefined,
    responses: responses.length === 0 ? undefined : responses.map(opJson),
  };
}

function opJson(op: ResponseOp): GoJson {
  const { response_range, response_put, response_delete_range } = op;
  return {
    Response: {
      response_range:
        response_range === null ? undefined : messageJson(rangeResponse, response_range),
      response_put: response_put === null ? undefined : messageJson(putResponse, response_put),
      response_delete_range:
        response_delete_range === null
          ? undefined
          : messageJson(deleteRangeResponse, response_delete_range),
    },
  };
}

/** One answer of a watch, as Go's client hands it on. */
export interface WatchAnswer {
  readonly header: ResponseHeader;
  readonly events: readonly EventMessage[];
  /** Above 0: the watch ended because this much was compacted. */
  readonly compactRevision: bigint;
  readonly isCanceled: boolean;
  readonly cancelReason: string;
}

const eventTypes = ["PUT", "DELETE"];

export function eventType(message: EventMessage): string {
  return eventTypes[message.type] ?? String(message.type);
}

export function showWatch(answer: WatchAnswer): Shown {
  const { header, events, compactRevision, isCanceled, cancelReason } = answer;
  return {
    simple: (page, style) => {
      for (const message of events) {
        page.line(eventType(message));
        if (message.prev_kv !== null) pairLines(page, message.prev_kv, style);
        if (message.kv !== null) pairLines(page, message.kv, style);
      }
    },
    fields: (page, style) => {
      headerFields(page, header, style);
      for (const message of events) {
        page.line(`"Type" : ${eventType(message)}`);
        if (message.prev_kv !== null) keyValueFields(page, "Prev", message.prev_kv, style);
        if (message.kv !== null) keyValueFields(page, "", message.kv, style);
      }
    },
    json: () => ({
      Header: messageJson(responseHeader, header),
      Events: events.length === 0 ? null : events.map((message) => messageJson(event, message)),
      CompactRevision: compactRevision,
      Canceled: isCanceled,
      Created: false,
      CancelReason: cancelReason,
    }),
    protobuf: () =>
      encodeMessage(watchResponse, {
        ...watchResponse.empty(),
        header,
        events: [...events],
        compact_revision: compactRevision,
        canceled: isCanceled,
      }),
  };
}

/** Key and value, a line each. */
function pairLines(page: Page, kv: KeyValueMessage, style: Style): void {
  const shown = (bytes: Uint8Array): Piece => (style.isHex ? hexText(bytes) : bytes);
  if (style.isValueOnly !== true) page.line(shown(kv.key));
  page.line(shown(kv.value));
}

function hexText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += `\\x${byte.toString(16).padStart(2, "0")}`;
  return text;
}

/** How the environment of a watch's command names an event. */
export function eventEnvironment(header: ResponseHeader, message: EventMessage): string[][] {
  const { kv } = message;
  const none = new Uint8Array(0);
  return [
    ["ETCD_WATCH_REVISION", String(header.revision)],
    ["ETCD_WATCH_EVENT_TYPE", goQuote(eventType(message))],
    ["ETCD_WATCH_KEY", goQuote(kv?.key ?? none)],
    ["ETCD_WATCH_VALUE", goQuote(kv?.value ?? none)],
  ];
}
