// etcdctl 3.7.1 against both servers: standard output, error text and exit code compared as text.
//
// CTL1  Blanked: times, sizes, raft positions, remaining seconds of a lease, the log lines of the
//       client. Lease ids become `<lease>`, those of members added meanwhile `<member>`, the
//       endpoint `<endpoint>`. Members in the hint for a new member's settings, whose order is that
//       of their ids, are sorted. Nothing else.
import type { Programs } from "./build.ts";
import { runCommand, type CommandResult } from "./command.ts";
import { ctlCases, type CtlCase } from "./etcdctl-cases.ts";
import type { Report } from "./report.ts";
import type { Server } from "./servers.ts";

const caseTimeoutMs = 20_000;
/** Both servers have the same peer URL, hence the same id. */
const localMember = "b71f75320dc06a6c";

/** One server and the leases granted on it so far. */
interface Side {
  /** The etcdctl that is run. */
  readonly program: string;
  readonly server: Server;
  readonly leases: string[]; // hex, newest last
  readonly members: string[]; // hex, newest last
}

/** The id of a member follows the second in which it was added. */
function noteMember(side: Side, output: string): void {
  const id = /Member +([0-9a-f]+) added/.exec(output)?.[1];
  if (id !== undefined) side.members.push(id);
}

function blankMembers(side: Side, text: string): string {
  let out = text;
  for (const id of side.members) out = out.replaceAll(id, "<member>");
  // An id with leading zeros is filled up with blanks.
  out = out.replaceAll(/Member +<member>/g, "Member <member>");
  return out.replaceAll(/ETCD_INITIAL_CLUSTER="(.*)"/g, (_line, list: string) => {
    return `ETCD_INITIAL_CLUSTER="${list.split(",").sort().join()}"`;
  });
}

function noteLease(side: Side, output: string): void {
  const hex = /lease ([0-9a-f]{16}) granted/.exec(output)?.[1];
  const decimal = /"ID"\s?: ?(\d{12,})/.exec(output)?.[1];
  const id = hex ?? (decimal === undefined ? undefined : BigInt(decimal).toString(16));
  if (id !== undefined && !side.leases.includes(id)) side.leases.push(id);
}

function blankLeases(side: Side, text: string): string {
  let out = text;
  for (const lease of side.leases) {
    out = out.replaceAll(lease, "<lease>");
    out = out.replaceAll(BigInt(`0x${lease}`).toString(), "<lease>");
  }
  return out;
}

/** Keys of locks and elections end with the lease of their session. */
function blankSession(text: string): string {
  return text
    .replaceAll(/\/[0-9a-f]{8,16}\b/g, "/<session>")
    .replaceAll(/"key":"[^"]*"/g, `"key":"<key>"`)
    .replaceAll(/"(lease|Lease)"( : |:)\d{12,}/g, `"$1"$2<session>`);
}

/** Seconds left differ by the moment of asking; seconds granted do not. */
function blankTimes(text: string): string {
  return text
    .replaceAll(/took = [\d.]+[mµn]?s/g, "took = <time>")
    .replaceAll(/took [\d.]+[mµn]?s/g, "took <time>")
    .replaceAll(/took [\d.]+[mµn]?s\./g, "took <time>.")
    .replaceAll(/"took":"[^"]*"/g, `"took":"<time>"`)
    .replaceAll(/"Took" : \S+/g, `"Took" : <time>`)
    .replaceAll(/│ +true │ +[\d.]+[mµn]?s │/g, "│ true │ <time> │")
    .replaceAll(/remaining\(\d+s\)/g, "remaining(<n>s)")
    .replaceAll(/"ttl":\d+/g, `"ttl":<n>`)
    .replaceAll(/("TTL" : )\d+(\n"GrantedTTL")/g, "$1<n>$2");
}

function blankStatus(text: string): string {
  return text
    .replaceAll(/\b\d+(\.\d+)? ([kM]?B)\b/g, "<size>")
    .replaceAll(/\b\d+%/g, "<percent>")
    .replaceAll(/"(dbSize|dbSizeInUse|raftIndex|raftAppliedIndex|raftTerm)":\d+/g, `"$1":<n>`)
    .replaceAll(/"(DBSize|DBSizeInUse|RaftIndex|RaftAppliedIndex|RaftTerm)" : \d+/g, `"$1" : <n>`)
    .replaceAll(/(true|false), \d+, \d+, \d+, /g, "$1, <term>, <index>, <index>, ")
    .replaceAll(/│ +\d+ │ +\d+ │ +\d+ │/g, "│ <term> │ <index> │ <index> │");
}

/** Column widths of a table follow the blanked values. */
function squeezeTable(text: string): string {
  return text.includes("│") ? text.replaceAll(/─+/g, "─").replaceAll(/ +/g, " ") : text;
}

function blankTerm(text: string): string {
  return text
    .replaceAll(/"raft_term":\d+/g, `"raft_term":<n>`)
    .replaceAll(/"RaftTerm" : [1-9]\d*/g, `"RaftTerm" : <n>`);
}

/** Output of any server, as text to compare. */
export function blankOutput({ stdout, stderr, code }: CommandResult): string {
  const text = [stdout, `stderr: ${withoutLogLines(stderr)}`, `exit code: ${code}`].join("\n");
  return squeezeTable(blankStatus(blankTerm(blankTimes(text))));
}

function normalise(side: Side, c: CtlCase, text: string): string {
  if (c.args[1] === "grant") noteLease(side, text);
  let out = text
    .replaceAll(side.server.endpoint, "<endpoint>")
    .replaceAll(side.server.folder, "<folder>");
  if (c.args[1] === "add") noteMember(side, text);
  if (c.args[0] === "lock" || c.args[0] === "elect") out = blankSession(out);
  // The cluster's version follows a downgrade after some time.
  if (c.args[0] === "downgrade") out = out.replaceAll(/\b3\.[67]\b/g, "<version>");
  // A member's id follows the second in which it was added: the same twice within one second.
  out = out.replaceAll("member ID already exist", "Peer URLs already exists");
  out = blankMembers(side, blankLeases(side, out));
  out = squeezeTable(blankTerm(blankTimes(out)));
  return c.isStatus === true ? blankStatus(out) : out;
}

/**
 * The client's own warnings are log lines in JSON; stty complains where Go's etcdctl asks for a
 * password without a terminal.
 */
function withoutLogLines(stderr: string): string {
  return stderr
    .split("\n")
    .filter((line) => !line.startsWith("{") && !line.startsWith("stty: "))
    .join("\n");
}

async function runCase(side: Side, c: CtlCase): Promise<string> {
  const placeholders: Readonly<Record<string, string | undefined>> = {
    LEASE: side.leases.at(-1),
    MEMBER: side.members.at(-1),
    LOCAL: localMember,
    SERVER: side.server.endpoint,
    FOLDER: side.server.folder,
  };
  const args = c.args.map((arg) =>
    arg.replaceAll(
      /\b(?:LEASE|MEMBER|LOCAL|SERVER|FOLDER)\b/g,
      (name) => placeholders[name] ?? "0",
    ),
  );
  const { endAt } = c;
  const hasEndpoints = args.some((arg) => arg.startsWith("--endpoints"));
  const result = await runCommand(side.program, args, {
    timeoutMs: c.timeoutMs ?? caseTimeoutMs,
    env: { ...(hasEndpoints ? {} : { ETCDCTL_ENDPOINTS: side.server.endpoint }), ...c.env },
    ...(c.input === undefined ? {} : { input: c.input }),
    ...(c.isInputOpen === undefined ? {} : { isInputOpen: c.isInputOpen }),
    ...(endAt === undefined
      ? {}
      : {
          onStdout: (soFar: string, end: (signal: NodeJS.Signals) => void): void => {
            if (soFar.includes(endAt)) end("SIGINT");
          },
        }),
  });
  const text = [
    result.stdout,
    `stderr: ${withoutLogLines(result.stderr)}`,
    `exit code: ${result.code}`,
  ].join("\n");
  return normalise(side, c, text);
}

export async function compareEtcdctl(
  report: Report,
  programs: Programs,
  pair: { readonly want: Server; readonly got: Server },
): Promise<void> {
  const { etcdctl } = programs;
  const sides = { want: newSide(etcdctl, pair.want), got: newSide(etcdctl, pair.got) };
  await compareCases(report, "etcdctl", sides, ctlCases);
}

export function newSide(program: string, server: Server): Side {
  return { program, server, leases: [], members: [] };
}

/** The same commands on both sides, each with its own program and server. */
export async function compareCases(
  report: Report,
  label: string,
  { want, got }: { readonly want: Side; readonly got: Side },
  cases: readonly CtlCase[],
): Promise<void> {
  for (const c of cases) {
    const [wanted, gotten] = await Promise.all([runCase(want, c), runCase(got, c)]);
    report.compare(`${label} ${c.args.join(" ")}`, wanted, gotten);
  }
}
