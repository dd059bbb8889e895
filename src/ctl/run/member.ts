import { goQuote } from "../../cli/go-quote.ts";
import { ValueError } from "../../cli/go-value.ts";
import { ClusterArea } from "../../client/cluster.ts";
import type { CtlCall } from "../commands/spec.ts";
import { parseUnsigned } from "../input/number.ts";
import { checkPeerUrls } from "../input/peer-urls.ts";
import { showMemberAdd, showMemberChange, showMembers } from "../print/members.ts";
import { askAndShow, openSession } from "../session.ts";
import type { MemberAddResponse } from "../wire/schemas.ts";
import { memberAddResponse, membersResponse } from "../wire/schemas.ts";
import { badUse, parseConsistency } from "./get.ts";

export async function runAdd(call: CtlCall): Promise<void> {
  const { args, flags } = call;
  const [name] = args;
  if (name === undefined) throw badUse("member name not provided");
  if (args.length > 1) {
    const urls = args.filter((arg) => arg.toLowerCase().startsWith("http"));
    const hints = urls.map((url) => `, did you mean --peer-urls=${url}`);
    throw badUse(["too many arguments", ...hints].join(""));
  }
  const peerUrls = flags.string("peer-urls");
  if (peerUrls === "") throw badUse("member peer urls not provided");
  const session = await openSession(call);
  const urls = checkPeerUrls(peerUrls);
  const options = { isLearner: flags.bool("learner"), ...session.short };
  const response = await session.ask(memberAddResponse, (caller) =>
    new ClusterArea(caller).memberAdd(urls, options),
  );
  session.show(showMemberAdd(response));
  if (session.style.format === "simple") session.print(settingsOf(name, peerUrls, response));
}

/** What the new member is to be started with. */
function settingsOf(name: string, peerUrls: string, response: MemberAddResponse): string {
  const { member: added, members } = response;
  const cluster = members.flatMap((m) =>
    m.peerURLs.map((url) => `${m.ID === added?.ID ? name : m.name}=${url}`),
  );
  return [
    "",
    `ETCD_NAME=${goQuote(name)}`,
    `ETCD_INITIAL_CLUSTER=${goQuote(cluster.join(","))}`,
    `ETCD_INITIAL_ADVERTISE_PEER_URLS=${goQuote(peerUrls)}`,
    `ETCD_INITIAL_CLUSTER_STATE="existing"`,
    "",
  ].join("\n");
}

export async function runRemove(call: CtlCall): Promise<void> {
  const id = memberIdOf(call);
  await askAndShow(call, membersResponse, {
    send: (caller, { short }) => new ClusterArea(caller).memberRemove(id, short),
    show: (response) => showMemberChange(id, "removed from", response),
  });
}

export async function runUpdate(call: CtlCall): Promise<void> {
  const id = memberIdOf(call);
  const peerUrls = call.flags.string("peer-urls");
  if (peerUrls === "") throw badUse("member peer urls not provided");
  await askAndShow(call, membersResponse, {
    send: async (caller, { short }) =>
      new ClusterArea(caller).memberUpdate(id, checkPeerUrls(peerUrls), short),
    show: (response) => showMemberChange(id, "updated in", response),
  });
}

export async function runMembers(call: CtlCall): Promise<void> {
  // etcdctl's refusal names the value of another command's flag.
  const isSerializable = parseConsistency(call.flags.string("consistency"), "l");
  await askAndShow(call, membersResponse, {
    send: (caller, { short }) =>
      new ClusterArea(caller).memberList({ isLinearizable: !isSerializable, ...short }),
    show: showMembers,
  });
}

export async function runPromote(call: CtlCall): Promise<void> {
  const id = memberIdOf(call);
  await askAndShow(call, membersResponse, {
    send: (caller, { short }) => new ClusterArea(caller).memberPromote(id, short),
    show: (response) => showMemberChange(id, "promoted in", response),
  });
}

function memberIdOf({ args }: CtlCall): bigint {
  if (args.length !== 1) throw badUse("member ID is not provided");
  try {
    return parseUnsigned(args[0]!, 16);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw badUse(`bad member ID arg (${error.message}), expecting ID in Hex`);
  }
}
