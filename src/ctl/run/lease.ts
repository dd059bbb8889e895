import { ValueError } from "../../cli/go-value.ts";
import { exitCode } from "../../cli/run.ts";
import { LeaseArea } from "../../client/lease/lease-area.ts";
import type { LeaseGrant } from "../../client/types.ts";
import type { CtlCall } from "../commands/spec.ts";
import { parseSigned } from "../input/number.ts";
import { leaseHex } from "../print/fields.ts";
import type { Renewal } from "../print/lease.ts";
import {
  showGrant,
  showKeepAlive,
  showLeases,
  showRevoke,
  showTimeToLive,
} from "../print/lease.ts";
import { askAndShow, openSession } from "../session.ts";
import {
  headerOnly,
  leaseGrantResponse,
  leaseLeasesResponse,
  leaseTimeToLiveResponse,
} from "../wire/schemas.ts";
import { headerMessage } from "../wire/from-client.ts";
import { badUse } from "./get.ts";

/** Those that wait as long as it takes say "bad connection" whatever went wrong. */
const patientEnding = { code: exitCode.badConnection };

export async function runGrant(call: CtlCall): Promise<void> {
  const { args } = call;
  if (args.length !== 1) throw badUse("lease grant command needs TTL argument");
  const ttl = parseTtl(args[0]!);
  await askAndShow(call, leaseGrantResponse, {
    send: (caller, { short }) => new LeaseArea(caller).grant(Number(ttl), short),
    show: showGrant,
    ending: { wrap: (reason) => `failed to grant lease (${reason})` },
  });
}

function parseTtl(text: string): bigint {
  try {
    return parseSigned(text, 10);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw badUse(`bad TTL (${error.message})`);
  }
}

export async function runRevoke(call: CtlCall): Promise<void> {
  const { args } = call;
  if (args.length !== 1) throw badUse("lease revoke command needs 1 argument");
  const id = parseLeaseId(args[0]!);
  await askAndShow(call, headerOnly, {
    send: (caller, { short }) => new LeaseArea(caller).revoke(id, short),
    show: (response) => showRevoke(id, response),
    ending: { wrap: (reason) => `failed to revoke lease (${reason})` },
  });
}

export async function runTimeToLive(call: CtlCall): Promise<void> {
  const { args, flags } = call;
  if (args.length !== 1) throw badUse("lease timetolive command needs lease ID as argument");
  const id = parseLeaseId(args[0]!);
  const keys = flags.bool("keys");
  await askAndShow(call, leaseTimeToLiveResponse, {
    send: (caller, { patient }) => new LeaseArea(caller).timeToLive(id, { keys, ...patient }),
    show: (response) => showTimeToLive(response, keys),
    ending: patientEnding,
  });
}

export async function runList(call: CtlCall): Promise<void> {
  await askAndShow(call, leaseLeasesResponse, {
    send: (caller, { patient }) => new LeaseArea(caller).leases(patient),
    show: showLeases,
    ending: patientEnding,
  });
}

export async function runKeepAlive(call: CtlCall): Promise<void> {
  const { args, flags } = call;
  if (args.length !== 1) throw badUse("lease keep-alive command needs lease ID as argument");
  const id = parseLeaseId(args[0]!);
  const session = await openSession(call);
  await session.run(async ({ caller }) => {
    const leases = new LeaseArea(caller);
    if (flags.bool("once")) {
      const grant = await leases.keepAliveOnce(id, session.patient);
      session.show(showKeepAlive(renewalOf(grant)));
      return;
    }
    for await (const grant of leases.keepAlive(id)) session.show(showKeepAlive(renewalOf(grant)));
    if (session.style.format === "simple") {
      session.print(`lease ${leaseHex(id)} expired or revoked.\n`);
    }
  }, patientEnding);
}

function renewalOf({ header, id, ttlSeconds }: LeaseGrant): Renewal {
  return { header: headerMessage(header), id, ttl: BigInt(ttlSeconds) };
}

function parseLeaseId(text: string): bigint {
  try {
    return parseSigned(text, 16);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw badUse(`bad lease ID arg (${error.message}), expecting ID in Hex`);
  }
}
