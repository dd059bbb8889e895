/** TxnResponse, nested to any depth that requests may have. */
import { DecodeError, nestingMax, Reader } from "../reader.ts";
import { emptyHeader, readHeader } from "./header.ts";
import {
  deleteRepeated,
  rangeRepeated,
  readDeleteResult,
  readGetResult,
  readPutResult,
} from "./kv.ts";
import type { OpResult, TxnResult } from "./results.ts";

const responsesRepeated = 1 << 3;

/** @throws DecodeError also for an operation without a result and for a nesting too deep. */
export function decodeTxnResult(bytes: Uint8Array): TxnResult {
  return readTxnResult(new Reader(bytes, responsesRepeated), 0);
}

function readTxnResult(r: Reader, depth: number): TxnResult {
  if (depth > nestingMax) throw new DecodeError("proto: exceeded maximum recursion depth");
  let header = emptyHeader;
  let succeeded = false;
  const responses: OpResult[] = [];
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        header = readHeader(r.nested());
        break;
      case 0x10:
        succeeded = r.bool();
        break;
      case 0x1a:
        responses.push(readOpResult(r.nested(), depth));
        break;
      default:
        r.skip();
    }
  }
  return { kind: "txn", header, succeeded, responses };
}

function readOpResult(r: Reader, depth: number): OpResult {
  let result: OpResult | null = null;
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        result = readGetResult(r.nested(rangeRepeated));
        break;
      case 0x12:
        result = readPutResult(r.nested());
        break;
      case 0x1a:
        result = readDeleteResult(r.nested(deleteRepeated));
        break;
      case 0x22:
        result = readTxnResult(r.nested(responsesRepeated), depth + 1);
        break;
      default:
        r.skip();
    }
  }
  if (result === null) throw new DecodeError("a transaction's operation has no result");
  return result;
}
