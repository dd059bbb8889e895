import {
  campaignRequest,
  campaignResponse,
  decodeLeaderResult,
  leaderRequest,
  proclaimRequest,
  resignRequest,
  type CampaignResult,
  type LeaderKey,
  type LeaderResult,
} from "../codec/client/lock-election.ts";
import { headerOnly } from "../codec/client/schema.ts";
import type { Caller } from "./caller.ts";
import { toBytes, toLeaseId } from "./input.ts";
import { methodsOf, patient } from "./method.ts";
import { responses } from "./responses.ts";
import type { Bytes, CallOptions, Header } from "./types.ts";

const leaderResponse = { decode: decodeLeaderResult };
const method = methodsOf("v3electionpb.Election");
const campaign = method("Campaign", "write", campaignRequest, campaignResponse);
const proclaim = method("Proclaim", "write", proclaimRequest, headerOnly);
const leader = method("Leader", "read", leaderRequest, leaderResponse);
const observe = method("Observe", "read", leaderRequest, leaderResponse);
const resign = method("Resign", "write", resignRequest, headerOnly);

/** Elections that the server holds: `client.election`. A recipe of the client is `Election`. */
export class ElectionArea {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Waits until elected, without a deadline unless given one; led as long as the lease lives. */
  async campaign(
    name: Bytes,
    lease: bigint,
    value: Bytes,
    options?: CallOptions,
  ): Promise<CampaignResult> {
    const request = {
      name: toBytes(name, "name"),
      lease: toLeaseId(lease),
      value: toBytes(value, "value"),
    };
    return this.#caller.call(campaign, request, patient(options));
  }

  /** Changes the leader's value without a new election. */
  async proclaim(
    of: LeaderKey,
    value: Bytes,
    options?: CallOptions,
  ): Promise<{ readonly header: Header }> {
    const request = { leader: of, value: toBytes(value, "value") };
    return this.#caller.call(proclaim, request, options);
  }

  /** Throws ElectionNoLeaderError when nobody leads. */
  async leader(name: Bytes, options?: CallOptions): Promise<LeaderResult> {
    return this.#caller.call(leader, { name: toBytes(name, "name") }, options);
  }

  /**
   * The leader, and every one after: values that follow each other fast may be left out. Ends with
   * an error when the connection is lost; observe again to go on.
   */
  observe(name: Bytes, options?: CallOptions): AsyncIterable<LeaderResult> {
    const request = { name: toBytes(name, "name") };
    return responses(this.#caller, observe, request, patient(options));
  }

  async resign(of: LeaderKey, options?: CallOptions): Promise<{ readonly header: Header }> {
    return this.#caller.call(resign, { leader: of }, options);
  }
}
