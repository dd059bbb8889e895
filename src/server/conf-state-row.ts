import { utf8 } from "../base/bytes.ts";
import type { ConfState } from "../raft/types.ts";

/** The row of the `meta` bucket, JSON as etcd writes it. */
export function encodeConfStateRow(conf: ConfState): Uint8Array {
  const lists: [string, readonly bigint[]][] = [
    ["voters", conf.voters],
    ["learners", conf.learners],
    ["voters_outgoing", conf.votersOutgoing],
    ["learners_next", conf.learnersNext],
  ];
  const fields = lists
    .filter(([, ids]) => ids.length > 0)
    .map(([name, ids]) => `"${name}":[${ids.join(",")}]`);
  fields.push(`"auto_leave":${conf.autoLeave}`);
  return utf8(`{${fields.join(",")}}`);
}
