/** JSON as Go's encoding/json writes it: one line, bytes in base64, 64-bit numbers in full. */
import type { AnyMessage, NamedField, Schema } from "../wire/message.ts";
import { isZero, messageKind } from "../wire/message.ts";

/** What can be written. Objects keep the order of their keys; `undefined` values are left out. */
export type GoJson =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | readonly GoJson[]
  | { readonly [key: string]: GoJson | undefined };

/** The text of `value`, without a line feed. */
export function toGoJson(value: GoJson): string {
  if (value === null) return "null";
  if (typeof value === "string") return quote(value);
  if (typeof value !== "object") return String(value);
  if (value instanceof Uint8Array) return `"${toBase64(value)}"`;
  if (isList(value)) return `[${value.map(toGoJson).join(",")}]`;
  const pairs = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${pairs.map(([key, item]) => `${quote(key)}:${toGoJson(item!)}`).join(",")}}`;
}

function isList(value: object): value is readonly GoJson[] {
  return Array.isArray(value);
}

/** Go also escapes what could end a script element, and two line ends of JavaScript. */
function quote(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[<>&\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The fields of a message under their proto names; zero values are left out. */
export function messageJson<T>(type: Schema<T>, message: T): Record<string, GoJson> {
  const json: Record<string, GoJson> = {};
  for (const field of type.fields) {
    const value = (message as AnyMessage)[field.name];
    if (!isZero(value)) json[field.name] = fieldJson(field, value);
  }
  return json;
}

function fieldJson(field: NamedField, value: unknown): GoJson {
  const nested = messageKind(field);
  if (nested === undefined) return value as GoJson;
  if (!field.isMany) return messageJson(nested, value);
  return (value as readonly unknown[]).map((item) => messageJson(nested, item));
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function toBase64(bytes: Uint8Array): string {
  let text = "";
  let at = 0;
  for (; at + 2 < bytes.length; at += 3) {
    const bits = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    text += digits[bits >> 18]! + digits[(bits >> 12) & 63]!;
    text += digits[(bits >> 6) & 63]! + digits[bits & 63]!;
  }
  const left = bytes.length - at;
  if (left === 0) return text;
  const bits = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8);
  const third = left === 2 ? digits[(bits >> 6) & 63]! : "=";
  return `${text}${digits[bits >> 18]!}${digits[(bits >> 12) & 63]!}${third}=`;
}
