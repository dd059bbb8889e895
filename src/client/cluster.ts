import {
  memberAddRequest,
  memberAddResponse,
  memberIdRequest,
  memberListRequest,
  memberListResponse,
  memberUpdateRequest,
  type MemberAddResult,
  type MemberListResult,
} from "../codec/client/cluster.ts";
import type { Caller } from "./caller.ts";
import { InvalidInputError, toMemberId } from "./input.ts";
import { methodsOf } from "./method.ts";
import type { CallOptions } from "./types.ts";

const method = methodsOf("etcdserverpb.Cluster");
const add = method("MemberAdd", "write", memberAddRequest, memberAddResponse);
const remove = method("MemberRemove", "write", memberIdRequest, memberListResponse);
const update = method("MemberUpdate", "write", memberUpdateRequest, memberListResponse);
const listAll = method("MemberList", "read", memberListRequest, memberListResponse);
const promote = method("MemberPromote", "write", memberIdRequest, memberListResponse);

/** The members of the cluster: `client.cluster`. */
export class ClusterArea {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * `isLinearizable` (true unless said otherwise): as the cluster agreed; else as the member asked
   * knows it, which also works without a leader.
   */
  async memberList(
    options?: CallOptions & { readonly isLinearizable?: boolean },
  ): Promise<MemberListResult> {
    const request = { isLinearizable: options?.isLinearizable !== false };
    return this.#caller.call(listAll, request, options);
  }

  /** Start the new member only after this: it must find itself in the cluster. */
  async memberAdd(
    peerUrls: readonly string[],
    options?: CallOptions & { readonly isLearner?: boolean },
  ): Promise<MemberAddResult> {
    const request = { peerUrls: urls(peerUrls), isLearner: options?.isLearner === true };
    return this.#caller.call(add, request, options);
  }

  async memberRemove(id: bigint, options?: CallOptions): Promise<MemberListResult> {
    return this.#caller.call(remove, { id: toMemberId(id) }, options);
  }

  async memberUpdate(
    id: bigint,
    peerUrls: readonly string[],
    options?: CallOptions,
  ): Promise<MemberListResult> {
    const request = { id: toMemberId(id), peerUrls: urls(peerUrls) };
    return this.#caller.call(update, request, options);
  }

  /** Makes a learner that has caught up a voter. */
  async memberPromote(id: bigint, options?: CallOptions): Promise<MemberListResult> {
    return this.#caller.call(promote, { id: toMemberId(id) }, options);
  }
}

function urls(list: readonly string[]): readonly string[] {
  if (list.some((url) => typeof url !== "string")) {
    throw new InvalidInputError("peerUrls must be strings");
  }
  return list;
}
