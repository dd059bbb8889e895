/** Messages of the Cluster service. */
import type { Header } from "./results.ts";
import { bool, header, list, memberId, Message, optional, string, strings } from "./schema.ts";

/** One member of the cluster. */
export interface Member {
  readonly id: bigint;
  /** "" until the member has started for the first time. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface MemberListResult {
  readonly header: Header;
  readonly members: readonly Member[];
}

export interface MemberAddResult extends MemberListResult {
  readonly member: Member | null;
}

export interface MemberUpdateRequest {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
}

export interface MemberAddRequest {
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
}

const member = new Message<Member>({
  id: memberId(1),
  name: string(2),
  peerUrls: strings(3),
  clientUrls: strings(4),
  isLearner: bool(5),
});

/** Removes and promotes. */
export const memberIdRequest = new Message<{ readonly id: bigint }>({ id: memberId(1) });

export const memberUpdateRequest = new Message<MemberUpdateRequest>({
  id: memberId(1),
  peerUrls: strings(2),
});

export const memberAddRequest = new Message<MemberAddRequest>({
  peerUrls: strings(1),
  isLearner: bool(2),
});

export const memberListRequest = new Message<{ readonly isLinearizable: boolean }>({
  isLinearizable: bool(1),
});

/** What every change but an addition answers, too. */
export const memberListResponse = new Message<MemberListResult>({
  header,
  members: list(2, member),
});

export const memberAddResponse = new Message<MemberAddResult>({
  header,
  member: optional(2, member),
  members: list(3, member),
});
