/**
 * An operator that changes the cluster: adds a learner, promotes it when it has caught up, removes
 * a member; one step after the other, and what was left halfway is cleared first.
 */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as rpc from "../../../src/gen/rpc_pb.js";
import type { RaftId } from "../../../src/raft/types.ts";
import type { Member } from "../../../src/server/member/member.ts";
import type { ClientParts } from "./kv-client.ts";
import { Rpc } from "./rpc.ts";

export interface MemberClientParts extends ClientParts {
  /** Starts the process of a member that was added. */
  readonly join: (name: string, id: RaftId, peerUrl: string, members: readonly Member[]) => void;
  /** Whether a process was ever started under the id. */
  readonly hasProcess: (id: RaftId) => boolean;
}

const path = "/etcdserverpb.Cluster/";
const answerMsMax = 8000;
const addedMax = 6;
const votersMax = 5;

export class MemberClient {
  readonly #parts: MemberClientParts;
  #added = 0;
  #isStopped = false;

  constructor(parts: MemberClientParts) {
    this.#parts = parts;
  }

  start(): void {
    const { scheduler, world, random } = this.#parts;
    scheduler.after(500 + random.below(4000), world, () => {
      if (!this.#isStopped) this.#list();
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  #list(): void {
    const request = create(rpc.MemberListRequestSchema, { linearizable: true });
    this.#ask("MemberList", toBinary(rpc.MemberListRequestSchema, request), (answer) => {
      if (answer === null) this.start();
      else this.#step(fromBinary(rpc.MemberListResponseSchema, answer).members);
    });
  }

  #step(members: readonly rpc.Member[]): void {
    const { random, hasProcess } = this.#parts;
    const learner = members.find((member) => member.isLearner);
    const voters = members.filter((member) => !member.isLearner);
    if (learner !== undefined && !hasProcess(learner.ID)) this.#remove(learner.ID);
    else if (learner !== undefined && random.below(10) > 0) this.#promote(learner.ID);
    else if (learner !== undefined) this.#remove(learner.ID);
    else if (voters.length < votersMax && this.#added < addedMax) this.#add();
    else if (voters.length > 3) this.#remove(voters[random.below(voters.length)]!.ID);
    else this.start();
  }

  #add(): void {
    const number = ++this.#added;
    const peerUrl = `http://10.0.1.${number}:2380`;
    const request = create(rpc.MemberAddRequestSchema, { peerURLs: [peerUrl], isLearner: true });
    this.#ask("MemberAdd", toBinary(rpc.MemberAddRequestSchema, request), (answer) => {
      if (answer !== null) {
        const { member, members } = fromBinary(rpc.MemberAddResponseSchema, answer);
        this.#parts.mark("member.added");
        this.#parts.join(`n${number}`, member!.ID, peerUrl, members.map(memberOf));
      }
      this.start();
    });
  }

  #promote(id: RaftId): void {
    const request = create(rpc.MemberPromoteRequestSchema, { ID: id });
    this.#ask("MemberPromote", toBinary(rpc.MemberPromoteRequestSchema, request), (answer) => {
      if (answer !== null) this.#parts.mark("member.promoted");
      this.start();
    });
  }

  #remove(id: RaftId): void {
    const request = create(rpc.MemberRemoveRequestSchema, { ID: id });
    this.#ask("MemberRemove", toBinary(rpc.MemberRemoveRequestSchema, request), (answer) => {
      if (answer !== null) this.#parts.mark("member.removed");
      this.start();
    });
  }

  #ask(method: string, bytes: Uint8Array, done: (answer: Uint8Array | null) => void): void {
    const { random, members, scheduler, world, note } = this.#parts;
    const all = members();
    const target = all[random.below(all.length)]!;
    let isOver = false;
    const finish = (answer: Uint8Array | null, text: string): void => {
      if (isOver) return;
      isOver = true;
      note(`${method} at ${target.birth.name}: ${text}`);
      done(answer);
    };
    const call = new Rpc(this.#parts, target, `${path}${method}`, {
      message: (answer) => {
        finish(answer, "done");
      },
      end: (_code, message) => {
        finish(null, message);
      },
    });
    call.send(bytes, true);
    scheduler.after(answerMsMax, world, () => {
      if (!isOver) call.cancel();
      finish(null, "deadline");
    });
  }
}

function memberOf(member: rpc.Member): Member {
  const { ID: id, name, peerURLs: peerUrls, clientURLs: clientUrls, isLearner } = member;
  return { id, name, peerUrls, clientUrls, isLearner };
}
