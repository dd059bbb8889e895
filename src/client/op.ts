/** Operations as values, and their form in requests. */
import type * as message from "../codec/messages.ts";
import { toCompareMessage } from "./compare.ts";
import { InvalidInputError, intervalOf, toBytes, toInt, toLeaseId } from "./input.ts";
import type {
  Bytes,
  Compare,
  DeleteOp,
  DeleteOptions,
  GetOp,
  GetOptions,
  Op,
  PutOp,
  PutOptions,
  SortOrder,
  SortTarget,
  TxnOp,
} from "./types.ts";

/** `op.put("k", "v", { lease })`: for `do` and for the branches of transactions. */
export const op = {
  get: (key: Bytes, options: GetOptions = {}): GetOp => ({ kind: "get", key, options }),
  put: (key: Bytes, value: Bytes, options: PutOptions = {}): PutOp => ({
    kind: "put",
    key,
    value,
    options,
  }),
  delete: (key: Bytes, options: DeleteOptions = {}): DeleteOp => ({ kind: "delete", key, options }),
  txn: (
    compares: readonly Compare[],
    success: readonly Op[] = [],
    failure: readonly Op[] = [],
  ): TxnOp => ({ kind: "txn", compares, success, failure }),
} as const;

const orderNumber = { none: 0, ascend: 1, descend: 2 } as const satisfies Record<SortOrder, number>;
const targetNumber = { key: 0, version: 1, create: 2, mod: 3, value: 4 } as const satisfies Record<
  SortTarget,
  number
>;

export function toRangeRequest(key: Bytes, options: GetOptions = {}): message.RangeRequest {
  const interval = intervalOf(key, options);
  const by = options.sort?.by ?? "key";
  const sortTarget = targetNumber[by];
  if (sortTarget === undefined) throw new InvalidInputError(`sort: no such order by ${by}`);
  return {
    key: interval.key,
    rangeEnd: interval.rangeEnd,
    limit: toInt(options.limit, "limit"),
    revision: toInt(options.revision, "revision"),
    sortOrder: sortOrderOf(options),
    sortTarget,
    serializable: options.serializable === true,
    keysOnly: options.keysOnly === true,
    countOnly: options.countOnly === true,
    minModRevision: toInt(options.minModRevision, "minModRevision"),
    maxModRevision: toInt(options.maxModRevision, "maxModRevision"),
    minCreateRevision: toInt(options.minCreateRevision, "minCreateRevision"),
    maxCreateRevision: toInt(options.maxCreateRevision, "maxCreateRevision"),
    canonical: true,
  };
}

/**
 * Rising keys is how the server reads them anyway: asked for by name it would fetch the whole range
 * before it applies the limit.
 */
function sortOrderOf({ sort }: GetOptions): number {
  if (sort === undefined) return orderNumber.none;
  const order = sort.order ?? "ascend";
  const number = orderNumber[order];
  if (number === undefined) throw new InvalidInputError(`sort: no such order ${order}`);
  return order === "ascend" && (sort.by ?? "key") === "key" ? orderNumber.none : number;
}

export function toPutRequest(
  key: Bytes,
  value: Bytes,
  options: PutOptions = {},
): message.PutRequest {
  return {
    key: toBytes(key, "key"),
    value: toBytes(value, "value"),
    lease: toLeaseId(options.lease),
    prevKv: options.prevKv === true,
    ignoreValue: options.ignoreValue === true,
    ignoreLease: options.ignoreLease === true,
    canonical: true,
  };
}

export function toDeleteRequest(
  key: Bytes,
  options: DeleteOptions = {},
): message.DeleteRangeRequest {
  const interval = intervalOf(key, options);
  return {
    key: interval.key,
    rangeEnd: interval.rangeEnd,
    prevKv: options.prevKv === true,
    canonical: true,
  };
}

export function toTxnRequest(from: TxnOp): message.TxnRequest {
  return {
    compare: from.compares.map(toCompareMessage),
    success: from.success.map(toRequestOp),
    failure: from.failure.map(toRequestOp),
    canonical: true,
  };
}

function toRequestOp(from: Op): message.RequestOp {
  switch (from.kind) {
    case "get":
      return { kind: "range", range: toRangeRequest(from.key, from.options) };
    case "put":
      return { kind: "put", put: toPutRequest(from.key, from.value, from.options) };
    case "delete":
      return { kind: "deleteRange", deleteRange: toDeleteRequest(from.key, from.options) };
    case "txn":
      return { kind: "txn", txn: toTxnRequest(from) };
    default:
      throw new InvalidInputError("a branch of a transaction holds something else than operations");
  }
}

/** Whether an operation can change anything. */
export function isWrite(from: Op): boolean {
  if (from.kind === "get") return false;
  return from.kind !== "txn" || from.success.some(isWrite) || from.failure.some(isWrite);
}
