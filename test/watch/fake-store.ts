import { fromBinaryString, toBinaryString } from "../../src/base/bytes.ts";
import { errCompacted } from "../../src/base/etcd-errors.ts";
import { encodeKeyValue } from "../../src/codec/kv.ts";
import { Writer } from "../../src/codec/writer.ts";
import type {
  EventListener,
  HistoryLimits,
  HistoryOutcome,
  HistorySource,
  MvccEvent,
} from "../../src/server/mvcc/types.ts";
import type { TrueEvent } from "../model/watch-rules.ts";

export interface Op {
  key: string;
  /** null deletes. */
  value: string | null;
}

interface Version {
  revision: number;
  /** Revision of the generation's first put. */
  create: number;
  value: string | null;
}

function encode(key: string, { revision, create, value }: Version): Uint8Array {
  const out = new Writer();
  encodeKeyValue(out, {
    key: fromBinaryString(key),
    createRevision: value === null ? 0 : create,
    modRevision: revision,
    version: 0,
    value: fromBinaryString(value ?? ""),
    lease: 0n,
  });
  return out.bytes.slice(0, out.length);
}

/** A store of nothing but history. */
export class FakeStore implements HistorySource {
  currentRevision = 1;
  compactRevision = -1;
  readonly truth: TrueEvent[] = [];
  listener: EventListener | null = null;
  historyReads = 0;
  private events: MvccEvent[] = [];
  private readonly versions = new Map<string, Version[]>();

  put(key: string, value: string): void {
    this.txn([{ key, value }]);
  }

  delete(key: string): void {
    this.txn([{ key, value: null }]);
  }

  /** One transaction; deletes of missing keys and repeated keys are left out. */
  txn(ops: readonly Op[]): void {
    const revision = this.currentRevision + 1;
    const events: MvccEvent[] = [];
    const done = new Set<string>();
    for (const { key, value } of ops) {
      const before = this.versionAt(key, this.currentRevision);
      const prev = before?.value ?? null;
      if (done.has(key) || (value === null && prev === null)) continue;
      done.add(key);
      const isDelete = value === null;
      const create = prev === null ? revision : (before?.create ?? revision);
      const version = { revision, create, value };
      const kv = encode(key, version);
      const sub = events.length;
      events.push({ isDelete, modRevision: revision, sub, key: fromBinaryString(key), kv });
      this.truth.push({ revision, key, isDelete, value: value ?? "", prev });
      const list = this.versions.get(key) ?? [];
      this.versions.set(key, list);
      list.push(version);
    }
    if (events.length === 0) return;
    this.currentRevision = revision;
    this.events.push(...events);
    this.listener?.committed(revision, events);
  }

  compact(revision: number): void {
    if (revision <= this.compactRevision || revision > this.currentRevision) return;
    this.compactRevision = revision;
    this.events = this.events.filter((event) => event.modRevision >= revision);
  }

  history(fromRevision: number, toRevision: number, limits: HistoryLimits): HistoryOutcome {
    this.historyReads++;
    if (fromRevision < this.compactRevision) return errCompacted;
    const to = Math.min(toRevision, this.currentRevision);
    const events: MvccEvent[] = [];
    let bytes = 0;
    for (const event of this.events) {
      if (event.modRevision < fromRevision || event.modRevision > to) continue;
      const isFull = events.length >= limits.events || bytes >= limits.bytes;
      if (isFull && events[events.length - 1]!.modRevision < event.modRevision) {
        return { events, next: event.modRevision };
      }
      events.push(event);
      bytes += event.kv.length;
    }
    return { events, next: to + 1 };
  }

  prevKeyValue(key: Uint8Array, modRevision: number): Uint8Array | null {
    if (modRevision - 1 < this.compactRevision) return null;
    const name = toBinaryString(key);
    const found = this.versionAt(name, modRevision - 1);
    if (found === undefined || found.value === null) return null;
    return encode(name, found);
  }

  private versionAt(key: string, revision: number): Version | undefined {
    return this.versions.get(key)?.findLast((one) => one.revision <= revision);
  }
}
