/** Results of the member commands, of alarms, downgrades and moving the leader. */
import { goQuote } from "../../cli/go-quote.ts";
import { renderTable } from "../../cli/table.ts";
import type {
  AlarmResponse,
  DowngradeResponse,
  HeaderOnly,
  MemberAddResponse,
  MemberMessage,
  MembersResponse,
  ResponseHeader,
} from "../wire/schemas.ts";
import {
  alarmResponse,
  downgradeResponse,
  headerOnly,
  member,
  memberAddResponse,
  membersResponse,
  responseHeader,
} from "../wire/schemas.ts";
import { headerFields, hexId } from "./fields.ts";
import type { GoJson } from "./go-json.ts";
import { messageJson } from "./go-json.ts";
import type { Shown } from "./shown.ts";
import { asMessage } from "./shown.ts";

const memberColumns = ["ID", "Status", "Name", "Peer Addrs", "Client Addrs", "Is Learner"];

function memberRow(m: MemberMessage): string[] {
  const status = m.name === "" ? "unstarted" : "started";
  const [peers, clients] = [m.peerURLs.join(","), m.clientURLs.join(",")];
  return [hexId(m.ID), status, m.name, peers, clients, String(m.isLearner)];
}

export function showMembers(response: MembersResponse): Shown {
  return {
    simple: (page) => {
      for (const m of response.members) page.line(memberRow(m).join(", "));
    },
    fields: (page, style) => {
      headerFields(page, response.header, style);
      for (const m of response.members) {
        page.line(`"ID" : ${style.isHex ? hexId(m.ID) : m.ID}`);
        page.line(`"Name" : ${goQuote(m.name)}`);
        for (const url of m.peerURLs) page.line(`"PeerURL" : ${goQuote(url)}`);
        for (const url of m.clientURLs) page.line(`"ClientURL" : ${goQuote(url)}`);
        page.line(`"IsLearner" : ${m.isLearner}`);
        page.line();
      }
    },
    table: () => renderTable(memberColumns, response.members.map(memberRow)),
    ...asMessage(membersResponse, response),
    json: ({ isHex }) => (isHex ? hexMembers(response) : messageJson(membersResponse, response)),
  };
}

/** `done`: what became of the member. */
export function showMemberChange(id: bigint, done: string, response: MembersResponse): Shown {
  const clusterId = hexId(response.header?.cluster_id ?? 0n).padStart(16);
  return {
    simple: (page) => page.line(`Member ${hexId(id).padStart(16)} ${done} cluster ${clusterId}`),
    ...asMessage(membersResponse, response),
    json: ({ isHex }) => (isHex ? hexMembers(response) : messageJson(membersResponse, response)),
  };
}

export function showMemberAdd(response: MemberAddResponse): Shown {
  const { header, member: added } = response;
  const id = hexId(added?.ID ?? 0n).padStart(16);
  const role = added?.isLearner === true ? " as learner " : " ";
  const clusterId = hexId(header?.cluster_id ?? 0n).padStart(16);
  return {
    simple: (page) => page.line(`Member ${id} added${role}to cluster ${clusterId}`),
    ...asMessage(memberAddResponse, response),
    json: ({ isHex }) => {
      if (!isHex) return messageJson(memberAddResponse, response);
      const json = hexMembers(response);
      return { header: json.header, member: added && hexMember(added), members: json.members };
    },
  };
}

interface HexMembers {
  readonly [key: string]: GoJson;
  readonly header: GoJson;
  readonly members: GoJson;
}

/** With `--hex` ids are texts, and fields of the outermost object are there even when empty. */
function hexMembers(response: {
  readonly header: ResponseHeader | null;
  readonly members: readonly MemberMessage[];
}): HexMembers {
  return {
    header: response.header && hexHeader(response.header),
    members: response.members.map(hexMember),
  };
}

function hexHeader(header: ResponseHeader): GoJson {
  return {
    cluster_id: hexId(header.cluster_id),
    member_id: hexId(header.member_id),
    ...messageJson(responseHeader, { ...header, cluster_id: 0n, member_id: 0n }),
  };
}

function hexMember(m: MemberMessage): GoJson {
  return { ID: hexId(m.ID), ...messageJson(member, { ...m, ID: 0n }) };
}

const alarmNames = ["NONE", "NOSPACE", "CORRUPT"];

export function alarmName(alarm: number): string {
  return alarmNames[alarm] ?? String(alarm);
}

export function showAlarms(response: AlarmResponse): Shown {
  return {
    simple: (page) => {
      for (const { memberID, alarm } of response.alarms) {
        const parts = [
          ...(memberID === 0n ? [] : [`memberID:${memberID}`]),
          ...(alarm === 0 ? [] : [`alarm:${alarmName(alarm)}`]),
        ];
        page.line(parts.join(" "));
      }
    },
    fields: (page, style) => {
      headerFields(page, response.header, style);
      for (const { memberID, alarm } of response.alarms) {
        page.line(`"MemberID" : ${style.isHex ? hexId(memberID) : memberID}`);
        page.line(`"AlarmType" : ${alarmName(alarm)}`);
        page.line();
      }
    },
    ...asMessage(alarmResponse, response),
  };
}

/** `action`: validate, enable or cancel. */
export function showDowngrade(action: string, response: DowngradeResponse): Shown {
  const line = `Downgrade ${action} success, cluster version ${response.version}`;
  return { simple: (page) => page.line(line), ...asMessage(downgradeResponse, response) };
}

export function showMoveLeader(from: bigint, to: bigint, response: HeaderOnly): Shown {
  const line = `Leadership transferred from ${hexId(from)} to ${hexId(to)}`;
  return { simple: (page) => page.line(line), ...asMessage(headerOnly, response) };
}
