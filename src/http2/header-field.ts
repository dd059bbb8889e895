/** One header field, checked once when made: table entries are shared by many requests. */

/** What a field means to the transport. */
export const fieldKind = {
  regular: 0,
  method: 1,
  scheme: 2,
  path: 3,
  authority: 4,
  unknownPseudo: 5,
  /** Connection-specific fields: not allowed in HTTP/2. */
  forbidden: 6,
  /** Name or value no field may have. */
  malformed: 7,
  contentType: 8,
  contentLength: 9,
  te: 10,
  host: 11,
  grpcTimeout: 12,
  grpcEncoding: 13,
  /** Metadata with a binary value in base64: name ends in "-bin". */
  binary: 14,
} as const;

const kinds = new Map<string, number>([
  [":method", fieldKind.method],
  [":scheme", fieldKind.scheme],
  [":path", fieldKind.path],
  [":authority", fieldKind.authority],
  ["connection", fieldKind.forbidden],
  ["keep-alive", fieldKind.forbidden],
  ["proxy-connection", fieldKind.forbidden],
  ["transfer-encoding", fieldKind.forbidden],
  ["upgrade", fieldKind.forbidden],
  ["content-type", fieldKind.contentType],
  ["content-length", fieldKind.contentLength],
  ["te", fieldKind.te],
  ["host", fieldKind.host],
  ["grpc-timeout", fieldKind.grpcTimeout],
  ["grpc-encoding", fieldKind.grpcEncoding],
]);

export class HeaderField {
  readonly name: string;
  readonly value: string;
  readonly kind: number;
  /** As HPACK and SETTINGS_MAX_HEADER_LIST_SIZE count it. */
  readonly size: number;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
    this.kind = kindOf(name, value);
    this.size = name.length + value.length + 32;
  }
}

function kindOf(name: string, value: string): number {
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (c < 14 && (c === 0 || c === 10 || c === 13)) return fieldKind.malformed;
  }
  const known = kinds.get(name);
  if (known !== undefined) return known;
  if (name.charCodeAt(0) === 58) return fieldKind.unknownPseudo;
  if (!isToken(name)) return fieldKind.malformed;
  return name.endsWith("-bin") ? fieldKind.binary : fieldKind.regular;
}

const tokenMarks = "!#$%&'*+-.^_`|~";

/** A field name of RFC 9110, which in HTTP/2 has no capitals. */
function isToken(name: string): boolean {
  if (name.length === 0) return false;
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    const isLower = c >= 97 && c <= 122;
    const isDigit = c >= 48 && c <= 57;
    if (!isLower && !isDigit && c !== 45 && !tokenMarks.includes(name[i]!)) return false;
  }
  return true;
}
