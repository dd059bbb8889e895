/** `ctl top`: looks at every member again and again. */
import { setTimeout as delay } from "node:timers/promises";
import type { Caller } from "../../client/caller.ts";
import { ClusterArea } from "../../client/cluster.ts";
import { EtcdError } from "../../client/errors.ts";
import { MaintenanceArea } from "../../client/maintenance.ts";
import type { Member } from "../../codec/client/cluster.ts";
import type { CtlCall } from "../commands/spec.ts";
import { goErrorText } from "../go-error.ts";
import { badUse } from "../run/get.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import type { Look, MemberLook } from "./top-view.ts";
import { topLines } from "./top-view.ts";

/** A member that takes longer is shown as one that does not answer. */
const answerMsMax = 2_000;
const intervalMsMin = 50;

const unbounded = { columns: Infinity, rows: Infinity };

const screen = {
  /** The other screen, without a cursor: what was there comes back at the end. */
  enter: "\x1b[?1049h\x1b[?25l",
  leave: "\x1b[?25h\x1b[?1049l",
  home: "\x1b[H",
  clearLine: "\x1b[K",
  clearBelow: "\x1b[J",
} as const;

export async function runTop(call: CtlCall): Promise<void> {
  const { flags, context } = call;
  if (call.args.length > 0) throw badUse("top takes no arguments");
  const intervalMs = flags.durationMs("interval");
  if (intervalMs < intervalMsMin) throw badUse(`--interval must be ${intervalMsMin}ms or more`);
  const session = await openSession(call);
  await session.run(async ({ caller }) => {
    if (flags.bool("once") || !context.isTerminal) await lookOnce(session, caller, intervalMs);
    else await follow(session, caller, intervalMs);
  });
}

async function lookOnce(session: Session, caller: Caller, intervalMs: number): Promise<void> {
  const before = await lookAt(session, caller);
  await delay(intervalMs); // rates need two looks
  const lines = topLines(await lookAt(session, caller), before);
  session.print(`${lines.join("\n")}\n`);
}

/** Draws until it is interrupted. A look that fails is shown, and the next one comes. */
async function follow(session: Session, caller: Caller, intervalMs: number): Promise<void> {
  const ending = new AbortController();
  const interrupted = session.call.context.interrupted().then(() => ending.abort());
  let before: Look | null = null;
  session.print(screen.enter);
  try {
    while (!ending.signal.aborted) {
      const look = await Promise.race([lookOrProblem(session, caller), interrupted]);
      if (look === undefined) break;
      session.print(typeof look === "string" ? drawn([look]) : drawn(topLines(look, before)));
      if (typeof look !== "string") before = look;
      await Promise.race([delay(intervalMs, undefined, { signal: ending.signal }), interrupted]);
    }
  } catch (error) {
    if (!ending.signal.aborted) throw error;
  } finally {
    session.print(screen.leave);
  }
}

async function lookOrProblem(session: Session, caller: Caller): Promise<Look | string> {
  try {
    return await lookAt(session, caller);
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    return `no look at the cluster: ${error.message}`;
  }
}

/** Over what was drawn before, within the terminal. */
function drawn(lines: readonly string[]): string {
  // A terminal that does not know its size says 0.
  const isSized = process.stdout.isTTY && process.stdout.columns > 0 && process.stdout.rows > 1;
  const { columns, rows } = isSized ? process.stdout : unbounded;
  const shown = lines.slice(0, rows - 1).map((line) => line.slice(0, columns) + screen.clearLine);
  return `${screen.home}${shown.join("\r\n")}\r\n${screen.clearBelow}`;
}

async function lookAt(session: Session, caller: Caller): Promise<Look> {
  const [{ header, members }, { alarms }] = await Promise.all([
    new ClusterArea(caller).memberList(session.short),
    new MaintenanceArea(caller).alarmList(session.short),
  ]);
  const looks = await Promise.all(members.map((member) => memberLook(session, caller, member)));
  return {
    atMs: performance.now(),
    clusterId: header.clusterId,
    members: looks.sort((a, b) => (a.name < b.name ? -1 : 1)),
    alarms,
  };
}

async function memberLook(session: Session, caller: Caller, member: Member): Promise<MemberLook> {
  const { id, name, isLearner } = member;
  const [endpoint = ""] = member.clientUrls;
  const about = { id, name, isLearner, endpoint: endpoint === "" ? "-" : endpoint };
  if (endpoint === "") return { ...about, status: null, problem: "not started yet", tookMs: 0 };
  const timeoutMs = Math.min(session.short.timeoutMs ?? answerMsMax, answerMsMax);
  const began = performance.now();
  try {
    const status = await new MaintenanceArea(caller).status({ endpoint, timeoutMs });
    return { ...about, status, problem: "", tookMs: performance.now() - began };
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    return { ...about, status: null, problem: goErrorText(error), tookMs: 0 };
  }
}
