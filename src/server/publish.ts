/** What a member tells the cluster about itself, through the log, when it starts. */

import { errStopped, type EtcdError } from "../base/etcd-errors.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/ports.ts";
import { encodeClusterMemberAttrSet } from "../codec/membership.ts";
import { requestField } from "./apply/fields.ts";
import type { Cluster } from "./member/cluster.ts";
import type { Proposer } from "./rpc/services.ts";

export interface PublishParts {
  readonly proposer: Proposer;
  readonly cluster: Pick<Cluster, "id" | "localId" | "version" | "addListener">;
  readonly log: Logger;
  readonly clock: Clock;
  readonly name: string;
  readonly clientUrls: readonly string[];
  /** The cluster knows this member and has agreed on a version: clients may be served. */
  readonly done: () => void;
}

/** Pause after a proposal that failed (no leader, overloaded, timed out). */
const retryMs = 500;

/**
 * Publishes name and client URLs once a leader is known, whoever that is. What fails is tried again
 * until it succeeds or the member stops.
 *
 * PB1  The newest proposal counts: after it nothing is done about those before, unless one of them
 *      is applied.
 */
export class Publisher {
  readonly #parts: PublishParts;
  #isStarted = false;
  #isPublished = false;
  #isDone = false;
  /** Proposals so far (PB1). */
  #proposals = 0;

  constructor(parts: PublishParts) {
    this.#parts = parts;
    parts.cluster.addListener({
      added: () => undefined,
      removed: () => undefined,
      updated: () => undefined,
      versionChanged: () => {
        this.#finish();
      },
    });
  }

  /** To be called whenever a leader is known; the first call counts. */
  leaderKnown(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#propose();
  }

  /**
   * A snapshot was installed: it may hold the version that the cluster has agreed on, and the entry
   * that this member waits for, which is not applied here then. So it proposes again at once,
   * instead of after the timeout of several seconds.
   */
  installed(): void {
    if (this.#isStarted && !this.#isPublished) this.#propose();
    this.#finish();
  }

  #propose(): void {
    const { proposer, cluster, name, clientUrls, log, clock } = this.#parts;
    const attributes = { memberId: cluster.localId, name, clientUrls };
    const body = encodeClusterMemberAttrSet(attributes);
    const proposal = ++this.#proposals;
    proposer.propose(requestField.clusterMemberAttrSet, body, {
      applied: () => {
        if (this.#isPublished) return;
        log.info("published local member to cluster through raft", {
          "local-member-id": cluster.localId.toString(16),
          "local-member-attributes": `{Name:${name} ClientURLs:[${clientUrls.join(" ")}]}`,
          "cluster-id": cluster.id.toString(16),
        });
        this.#isPublished = true;
        this.#finish();
      },
      failed: (error: EtcdError) => {
        if (error === errStopped || !this.#isPending(proposal)) return;
        log.warn("failed to publish local member to cluster through raft", {
          error: error.message,
        });
        clock.after(retryMs, () => {
          if (this.#isPending(proposal)) this.#propose();
        });
      },
    });
  }

  /** PB1 */
  #isPending(proposal: number): boolean {
    return proposal === this.#proposals && !this.#isPublished;
  }

  #finish(): void {
    const { cluster, done } = this.#parts;
    if (this.#isDone || !this.#isPublished || cluster.version === "") return;
    this.#isDone = true;
    done();
  }
}
