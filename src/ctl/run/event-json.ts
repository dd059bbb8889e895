/** Keys and events as JSON that is easy to read: text where it is text. */
import type { GoJson } from "../print/go-json.ts";
import { eventType } from "../print/kv.ts";
import type { EventMessage, KeyValueMessage } from "../wire/schemas.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export type JsonObject = Record<string, GoJson | undefined>;

/** `name` with text, or `name_base64` where the bytes are no text. */
export function bytesJson(name: string, bytes: Uint8Array): JsonObject {
  try {
    return { [name]: strict.decode(bytes) };
  } catch {
    return { [`${name}_base64`]: bytes };
  }
}

function keyValueJson(kv: KeyValueMessage): JsonObject {
  return {
    ...bytesJson("key", kv.key),
    ...bytesJson("value", kv.value),
    create_revision: kv.create_revision,
    mod_revision: kv.mod_revision,
    version: kv.version,
    lease: kv.lease === 0n ? undefined : kv.lease.toString(16).padStart(16, "0"),
  };
}

export function eventJson(event: EventMessage): JsonObject {
  const { kv, prev_kv } = event;
  const type = eventType(event);
  const key = kv === null ? {} : bytesJson("key", kv.key);
  const prev = prev_kv === null ? undefined : keyValueJson(prev_kv);
  if (type === "PUT" && kv !== null) return { type, ...keyValueJson(kv), prev };
  return { type, ...key, mod_revision: kv?.mod_revision, prev };
}
