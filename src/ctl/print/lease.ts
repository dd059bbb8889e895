/** Results of the lease commands. In `protobuf` Go's client has their headers alone. */
import { goQuote } from "../../cli/go-quote.ts";
import { encodeMessage } from "../wire/message.ts";
import type {
  HeaderOnly,
  LeaseGrantResponse,
  LeaseLeasesResponse,
  LeaseTimeToLiveResponse,
  ResponseHeader,
} from "../wire/schemas.ts";
import { headerOnly, responseHeader } from "../wire/schemas.ts";
import { headerFields, leaseField, leaseHex } from "./fields.ts";
import type { GoJson } from "./go-json.ts";
import { messageJson } from "./go-json.ts";
import type { Piece } from "./page.ts";
import type { Shown } from "./shown.ts";

/** The header's fields stand beside the others. */
function flatHeader(header: ResponseHeader | null): Record<string, GoJson> {
  return header === null ? {} : messageJson(responseHeader, header);
}

function headerBytes(header: ResponseHeader | null): Uint8Array {
  return encodeMessage(responseHeader, header ?? responseHeader.empty());
}

export function showGrant(response: LeaseGrantResponse): Shown {
  const { header, ID, TTL, error } = response;
  return {
    simple: (page) => page.line(`lease ${leaseHex(ID)} granted with TTL(${TTL}s)`),
    fields: (page, style) => {
      headerFields(page, header, style);
      page.line(`"ID" : ${leaseField(ID, style)}`);
      page.line(`"TTL" : ${TTL}`);
    },
    json: () => ({ ...flatHeader(header), ID, TTL, Error: error }),
    protobuf: () => headerBytes(header),
  };
}

export function showRevoke(id: bigint, response: HeaderOnly): Shown {
  return {
    simple: (page) => page.line(`lease ${leaseHex(id)} revoked`),
    fields: (page, style) => {
      headerFields(page, response.header, style);
    },
    json: () => messageJson(headerOnly, response),
  };
}

/** One renewal. */
export interface Renewal {
  readonly header: ResponseHeader;
  readonly id: bigint;
  readonly ttl: bigint;
}

export function showKeepAlive({ header, id, ttl }: Renewal): Shown {
  return {
    simple: (page) => page.line(`lease ${leaseHex(id)} keepalived with TTL(${ttl})`),
    fields: (page, style) => {
      headerFields(page, header, style);
      page.line(`"ID" : ${leaseField(id, style)}`);
      page.line(`"TTL" : ${ttl}`);
    },
    json: () => ({ ...flatHeader(header), ID: id, TTL: ttl }),
    protobuf: () => headerBytes(header),
  };
}

export function showTimeToLive(response: LeaseTimeToLiveResponse, withKeys: boolean): Shown {
  const { header, ID, TTL, grantedTTL, keys } = response;
  return {
    simple: (page) => {
      if (grantedTTL === 0n && TTL === -1n) {
        page.line(`lease ${leaseHex(ID)} already expired`);
        return;
      }
      page.add(`lease ${leaseHex(ID)} granted with TTL(${grantedTTL}s), remaining(${TTL}s)`);
      if (withKeys) page.add(", attached keys([", ...joined(keys), "])");
      page.line();
    },
    fields: (page, style) => {
      headerFields(page, header, style);
      page.line(`"ID" : ${leaseField(ID, style)}`);
      page.line(`"TTL" : ${TTL}`);
      page.line(`"GrantedTTL" : ${grantedTTL}`);
      for (const key of keys) page.line(`"Key" : ${goQuote(key)}`);
    },
    json: () => ({
      ...flatHeader(header),
      id: ID,
      ttl: TTL,
      "granted-ttl": grantedTTL,
      keys: keys.length === 0 ? null : keys,
    }),
    protobuf: () => headerBytes(header),
  };
}

function joined(keys: readonly Uint8Array[]): Piece[] {
  return keys.flatMap((key, i) => (i === 0 ? [key] : [" ", key]));
}

export function showLeases(response: LeaseLeasesResponse): Shown {
  const { header, leases } = response;
  return {
    simple: (page) => {
      page.line(`found ${leases.length} leases`);
      for (const { ID } of leases) page.line(leaseHex(ID));
    },
    fields: (page, style) => {
      headerFields(page, header, style);
      for (const { ID } of leases) page.line(`"ID" : ${leaseField(ID, style)}`);
    },
    json: () => ({ ...flatHeader(header), leases: leases.map(({ ID }) => ({ id: ID })) }),
    protobuf: () => headerBytes(header),
  };
}
