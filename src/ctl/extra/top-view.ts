/** What `ctl top` shows: two looks at a cluster become lines of text. */
import { humanBytes } from "../../cli/humanize.ts";
import type { AlarmMember, StatusResult } from "../../codec/client/maintenance.ts";

export interface MemberLook {
  readonly id: bigint;
  /** Empty until the member has started for the first time. */
  readonly name: string;
  readonly endpoint: string;
  readonly isLearner: boolean;
  /** Null: it did not answer. */
  readonly status: StatusResult | null;
  /** Why it did not. */
  readonly problem: string;
  readonly tookMs: number;
}

/** The cluster at one time. */
export interface Look {
  /** Of a clock that only rises. */
  readonly atMs: number;
  readonly clusterId: bigint;
  readonly members: readonly MemberLook[];
  readonly alarms: readonly AlarmMember[];
}

const columns = [
  ...["MEMBER", "ENDPOINT", "STATE", "VERSION", "REVISION", "WRITES/S", "ENTRIES/S", "LAG"],
  ...["DB", "IN USE", "QUOTA", "GROWTH/S", "ANSWER"],
];
/** Columns of text stand to the left, those of figures to the right. */
const leftColumns = 4;
const gap = "  ";
const nothing = "-";

/** Lines without line feeds. Rates need an earlier look. */
export function topLines(look: Look, before: Look | null): string[] {
  const rows = look.members.map((member) => memberRow(member, look, before));
  const lines = [...headLines(look, before), "", ...aligned([columns, ...rows])];
  // Names and errors come from servers: nothing in them may drive the terminal.
  return [...lines, ...errorLines(look)].map((line) => line.replaceAll(/\p{Cc}/gu, "?"));
}

function headLines(look: Look, before: Look | null): string[] {
  const leader = leaderOf(look);
  const answered = look.members.filter(({ status }) => status !== null).length;
  const revision = newestRevision(look);
  const rate = ratePerSecond(
    revision,
    before === null ? null : newestRevision(before),
    look,
    before,
  );
  const alarms = look.alarms.map(({ memberId, alarm }) => {
    const name = look.members.find(({ id }) => id === memberId)?.name ?? "";
    return `${alarm.toUpperCase()} ${name === "" ? hexId(memberId) : name}`;
  });
  return [
    `cluster ${hexId(look.clusterId)}: ${answered} of ${look.members.length} members answer, ` +
      `leader ${leader === undefined ? "unknown" : nameOf(leader)}, ` +
      `term ${leader?.status?.raftTerm ?? nothing}, revision ${revision}, ${rate} writes/s`,
    `alarms: ${alarms.length === 0 ? "none" : alarms.join(", ")}`,
  ];
}

function nameOf({ name, id }: MemberLook): string {
  return name === "" ? hexId(id) : name;
}

function hexId(id: bigint): string {
  return id.toString(16);
}

function leaderOf({ members }: Look): MemberLook | undefined {
  return members.find(({ id, status }) => status !== null && status.leader === id);
}

function newestRevision({ members }: Look): number {
  return Math.max(0, ...members.map(({ status }) => status?.header.revision ?? 0));
}

function memberRow(member: MemberLook, look: Look, before: Look | null): string[] {
  const { status, endpoint, tookMs } = member;
  const head = [nameOf(member), endpoint];
  if (status === null) return [...head, "no answer", ...columns.slice(3).map(() => nothing)];
  const earlier = before?.members.find(({ id }) => id === member.id)?.status ?? null;
  const rate = (read: (status: StatusResult) => number): string =>
    ratePerSecond(read(status), earlier === null ? null : read(earlier), look, before);
  const growth = earlier === null ? NaN : growthPerSecond(status, earlier, look, before);
  return [
    ...head,
    stateOf(member, status),
    status.version,
    String(status.header.revision),
    rate(({ header }) => header.revision),
    rate(({ raftAppliedIndex }) => raftAppliedIndex),
    String(Math.max(0, newestIndex(look) - status.raftAppliedIndex)),
    humanBytes(status.dbSize),
    humanBytes(status.dbSizeInUse),
    status.dbSizeQuota === 0 ? nothing : humanBytes(status.dbSizeQuota),
    Number.isNaN(growth) ? nothing : signedBytes(growth),
    `${tookMs.toFixed(1)} ms`,
  ];
}

/** What the leader has in its log; without one, what any member has. */
function newestIndex(look: Look): number {
  const leader = leaderOf(look)?.status;
  if (leader !== null && leader !== undefined) return leader.raftIndex;
  return Math.max(0, ...look.members.map(({ status }) => status?.raftIndex ?? 0));
}

function stateOf({ id, isLearner }: MemberLook, { leader }: StatusResult): string {
  if (leader === id) return "leader";
  if (leader === 0n) return "no leader";
  return isLearner ? "learner" : "follower";
}

function secondsBetween(look: Look, before: Look | null): number {
  return before === null ? 0 : (look.atMs - before.atMs) / 1_000;
}

function ratePerSecond(now: number, then: number | null, look: Look, before: Look | null): string {
  const seconds = secondsBetween(look, before);
  if (then === null || seconds <= 0) return nothing;
  const rate = Math.max(0, now - then) / seconds;
  return rate > 0 && rate < 10 ? rate.toFixed(1) : String(Math.round(rate));
}

function growthPerSecond(
  now: StatusResult,
  then: StatusResult,
  look: Look,
  before: Look | null,
): number {
  const seconds = secondsBetween(look, before);
  return seconds <= 0 ? NaN : Math.round((now.dbSizeInUse - then.dbSizeInUse) / seconds);
}

function signedBytes(bytes: number): string {
  return bytes < 0 ? `-${humanBytes(-bytes)}` : humanBytes(bytes);
}

function errorLines({ members }: Look): string[] {
  return members.flatMap((member) => {
    const { status, problem } = member;
    const errors = status === null ? [problem] : status.errors;
    return errors.filter((text) => text !== "").map((text) => `${nameOf(member)}: ${text}`);
  });
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i < leftColumns ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join(gap)
      .trimEnd(),
  );
}
