/**
 * What must hold after every event of a run, over all members and all their lives.
 *
 * CK1  A term has one leader at most.
 * CK2  All members apply the same entry at the same index, each index once and in order per life:
 *      what was committed once stays.
 * CK3  After the same index all have the same revision; a revision has the same changes everywhere.
 * CK4  applied <= commit; neither goes back within a life.
 * CK5  What a leader counts as committed is synced on a majority of its voters.
 *
 * CK6 to CK9 and CK11 are raft's own (raft-checks.ts). CK10 is kept by the world: a member whose
 * log was damaged refuses to start, and no other one does.
 */

import { toBinaryString } from "../../../src/base/bytes.ts";
import { decodeKeyValue } from "../../../src/codec/kv.ts";
import type { Entry, RaftId } from "../../../src/raft/types.ts";
import type { ServerCore } from "../../../src/server/core.ts";
import type { MvccEvent } from "../../../src/server/mvcc/types.ts";
import type { AppliedConf } from "../../check/membership-rules.ts";
import type { Change } from "../../check/watch-history.ts";
import type { SimProcess } from "./process.ts";
import { RaftChecks } from "./raft-checks.ts";
import { hashOf } from "./trace.ts";

interface AppliedEntry {
  readonly term: number;
  readonly hash: number;
  readonly by: string;
}

interface Watched {
  voters: readonly RaftId[];
  commit: number;
  applied: number;
  term: number;
}

export class Checks {
  readonly violations: string[] = [];
  readonly confs: AppliedConf[] = [];
  /** All changes in order of revision, as the first member to make them made them. */
  readonly changes: Change[] = [];
  lastRevision = 1;
  readonly raft = new RaftChecks((text) => {
    this.#fail(text);
  });
  readonly #leaders = new Map<number, RaftId>();
  readonly #entries = new Map<number, AppliedEntry>();
  readonly #revisions = new Map<number, { revision: number; by: string }>();
  readonly #hashes = new Map<number, number>();
  readonly #watched = new WeakMap<ServerCore, Watched>();
  readonly #mark: (name: string) => void;

  constructor(mark: (name: string) => void) {
    this.#mark = mark;
  }

  /** The newest index that some member applied. */
  get lastIndex(): number {
    return this.#entries.size === 0 ? 0 : Math.max(...this.#entries.keys());
  }

  opened(process: SimProcess, core: ServerCore): void {
    const { name } = process.birth;
    const { store } = core.state;
    const { appliedIndex, confState } = core.node;
    const { voters } = confState;
    this.#watched.set(core, { commit: 0, applied: appliedIndex, term: 0, voters });
    let expected = core.node.appliedIndex + 1;
    const applied = (entry: Entry, run: () => void): void => {
      // A snapshot may have taken the place of entries.
      if (entry.index < expected) this.#fail(`CK2: ${name} applies ${entry.index} again`);
      expected = entry.index + 1;
      this.#entry(name, entry);
      run();
      this.#revision(name, entry.index, store.currentRevision);
    };
    const apply = core.apply.bind(core);
    core.apply = (entry) => {
      applied(entry, () => {
        apply(entry);
      });
    };
    const applyConfChange = core.applyConfChange.bind(core);
    core.applyConfChange = (entry) => {
      applied(entry, () => {
        applyConfChange(entry);
        this.confs.push({ member: name, index: entry.index, conf: core.node.confState });
      });
    };
    const finish = store.finish.bind(store);
    store.finish = (revision, events) => {
      this.#changes(name, revision, events);
      finish(revision, events);
    };
  }

  afterEvent(process: SimProcess): void {
    const { core } = process;
    if (core === null) return;
    const { node } = core;
    const watched = this.#watched.get(core)!;
    const { commitIndex: commit, appliedIndex: applied, term } = node;
    if (commit < watched.commit || applied < watched.applied || term < watched.term) {
      this.#fail(`CK4: ${process.birth.name} went back to ${commit} ${applied} ${term}`);
    }
    if (applied > commit) this.#fail(`CK4: ${process.birth.name} applied ${applied} > ${commit}`);
    const { voters } = node.confState;
    if (node.isLeader && commit > watched.commit) {
      // The event may have applied a change after it committed.
      this.#quorum(process, commit, [watched.voters, voters]);
    }
    watched.commit = commit;
    watched.voters = voters;
    watched.applied = applied;
    watched.term = term;
    if (!node.isLeader) return;
    const leader = this.#leaders.get(term);
    if (leader === undefined) {
      this.#leaders.set(term, process.id);
      this.#mark("leader.elected");
    } else if (leader !== process.id) {
      this.#fail(
        `CK1: term ${term} has leaders ${leader.toString(16)}, ${process.id.toString(16)}`,
      );
      this.#leaders.set(term, process.id); // told once per change
    }
  }

  /** CK5 */
  #quorum(process: SimProcess, commit: number, confs: readonly (readonly RaftId[])[]): void {
    const isBacked = confs.some((voters) => {
      const by = voters.filter((id) => (this.raft.synced.get(id) ?? 0) >= commit);
      return by.length * 2 > voters.length;
    });
    if (!isBacked)
      this.#fail(`CK5: ${process.birth.name} committed ${commit}: no quorum synced it`);
  }

  get elections(): number {
    return this.#leaders.size;
  }

  #entry(name: string, entry: Entry): void {
    const hash = hashOf(entry.data);
    const known = this.#entries.get(entry.index);
    if (known === undefined) {
      this.#entries.set(entry.index, { term: entry.term, hash, by: name });
    } else if (known.term !== entry.term || known.hash !== hash) {
      const terms = `term ${known.term} and ${entry.term}`;
      this.#fail(`CK2: index ${entry.index} differs on ${known.by} and ${name}: ${terms}`);
    }
  }

  #revision(name: string, index: number, revision: number): void {
    const known = this.#revisions.get(index);
    if (known === undefined) this.#revisions.set(index, { revision, by: name });
    else if (known.revision !== revision) {
      const both = `${known.revision} on ${known.by}, ${revision} on ${name}`;
      this.#fail(`CK3: after index ${index} the revision is ${both}`);
    }
  }

  #changes(name: string, revision: number, events: readonly MvccEvent[]): void {
    let hash = events.length;
    for (const event of events) hash = Math.imul(hash ^ hashOf(event.kv), 0x85ebca6b);
    const known = this.#hashes.get(revision);
    if (known !== undefined) {
      if (known !== hash) this.#fail(`CK3: revision ${revision} differs on ${name}`);
      return;
    }
    this.#hashes.set(revision, hash);
    if (revision !== this.lastRevision + 1) this.#fail(`CK3: revision ${revision} out of order`);
    this.lastRevision = revision;
    for (const { isDelete, key, kv } of events) {
      const value = isDelete ? "" : toBinaryString(decodeKeyValue(kv).value);
      this.changes.push({ revision, isDelete, kv: { key: toBinaryString(key), value } });
    }
  }

  #fail(text: string): void {
    if (this.violations.length < violationsMax) this.violations.push(text);
  }
}

const violationsMax = 20;
