/**
 * The everyday calls, answered by messages: a `put` need not load the client's whole KV area.
 * Retry rules are those of client/kv.ts.
 */
import { encoder } from "../../codec/client/encode.ts";
import { encodeDeleteRangeRequest, encodePutRequest, encodeRangeRequest } from "../../codec/kv.ts";
import type { DeleteRangeRequest, PutRequest, RangeRequest } from "../../codec/messages.ts";
import type { Method } from "../../client/caller.ts";
import { decodeMessage } from "./message.ts";
import type { DeleteRangeResponse, PutResponse, RangeResponse } from "./schemas.ts";
import { deleteRangeResponse, putResponse, rangeResponse } from "./schemas.ts";

export const rangeMethod: Method<RangeRequest, RangeResponse> = {
  path: "/etcdserverpb.KV/Range",
  retry: "read",
  encode: encoder(encodeRangeRequest),
  decode: (bytes) => decodeMessage(rangeResponse, bytes),
};

export const putMethod: Method<PutRequest, PutResponse> = {
  path: "/etcdserverpb.KV/Put",
  retry: "write",
  encode: encoder(encodePutRequest),
  decode: (bytes) => decodeMessage(putResponse, bytes),
};

export const deleteMethod: Method<DeleteRangeRequest, DeleteRangeResponse> = {
  path: "/etcdserverpb.KV/DeleteRange",
  retry: "write",
  encode: encoder(encodeDeleteRangeRequest),
  decode: (bytes) => decodeMessage(deleteRangeResponse, bytes),
};
