/** The rarer parts of a gRPC request's head, judged in grpc-go's order and with its words. */
import { grpcCode } from "../base/grpc-code.ts";
import { decodeBase64, parseTimeout, quote } from "./grpc-text.ts";
import { fieldKind } from "./header-field.ts";
import type { RequestHead } from "./request.ts";

/** Why a call is refused before its method sees it. */
export interface HeadFault {
  readonly httpStatus: number;
  readonly code: number;
  readonly message: string;
}

/** What the server knows that a head is judged by. */
export interface HeadJudge {
  canInflate(encoding: string): boolean;
  /** What is said to a path that names no method. */
  unknownText(path: string): string;
}

/** Nothing in this head needs {@link judgeHead}. */
export function isPlainHead(head: RequestHead): boolean {
  return (
    head.method === "POST" &&
    head.grpcTimeout === "" &&
    head.grpcEncoding === "" &&
    !head.hasBinary &&
    head.authorityCount <= 1 &&
    head.hostCount <= 1
  );
}

/** The call's time in ms, -1 for no bound, or what is wrong with its head. */
export function judgeHead(
  head: RequestHead,
  isKnown: boolean,
  judge: HeadJudge,
): number | HeadFault {
  if (head.authorityCount > 1 || head.hostCount > 1) {
    const text = `num values of :authority: ${head.authorityCount}, num values of host: ${head.hostCount}, both must only have 1 value as per HTTP/2 spec`;
    return fault(400, grpcCode.internal, text);
  }
  const timeoutMs = head.grpcTimeout === "" ? -1 : parseTimeout(head.grpcTimeout);
  if (typeof timeoutMs === "string") {
    return fault(400, grpcCode.internal, `malformed grpc-timeout: ${timeoutMs}`);
  }
  const binaryFault = head.hasBinary ? findBinaryFault(head) : "";
  if (binaryFault !== "") return fault(400, grpcCode.internal, binaryFault);
  if (head.method !== "POST") {
    const text = `Received a HEADERS frame with :method ${quote(head.method)} which should be POST`;
    return fault(405, grpcCode.internal, text);
  }
  if (timeoutMs === 0) {
    return fault(200, grpcCode.deadlineExceeded, "context deadline exceeded");
  }
  if (!isKnown) return fault(200, grpcCode.unimplemented, judge.unknownText(head.path));
  const encoding = head.grpcEncoding;
  if (encoding !== "" && encoding !== "identity" && !judge.canInflate(encoding)) {
    const text = `grpc: Decompressor is not installed for grpc-encoding ${quote(encoding)}`;
    return fault(200, grpcCode.unimplemented, text);
  }
  return timeoutMs;
}

function fault(httpStatus: number, code: number, message: string): HeadFault {
  return { httpStatus, code, message };
}

function findBinaryFault(head: RequestHead): string {
  for (const field of head.fields) {
    if (field.kind !== fieldKind.binary) continue;
    const bytes = decodeBase64(field.value);
    if (typeof bytes === "number") {
      const where = `${quote(field.value)} in header ${quote(field.name)}`;
      return `malformed binary metadata ${where}: illegal base64 data at input byte ${bytes}`;
    }
  }
  return "";
}
