import { utf8 } from "../../base/bytes.ts";
import type { Checksum } from "../../base/ports.ts";
import type { View } from "../backend/backend.ts";
import { keyFinishedCompact, keyScheduledCompact } from "./compaction.ts";
import { ImageReader, ImageWriter } from "./image-blocks.ts";
import type { ImageFile } from "./image-blocks.ts";
import { flagLease } from "./records.ts";
import { revisionMain, revisionStart } from "./revision.ts";
import type { KvStore } from "./store.ts";

/**
 * The index as a file: written at a clean stop, read at the next start instead of all rows.
 *
 * IM1  A cache: everything in it follows from the backend's rows. It is used whole or not at all,
 *      and without it the rows are read.
 * IM2  It is used only for the state it was written from: its tag (member, consistent index, term,
 *      compaction) and its newest revision equal those of the view, every block has its checksum,
 *      and nothing is missing or follows.
 * IM3  It is gone, durably, before the first commit of the run that found it; it is written after
 *      the last one. So one that exists is never older than the backend.
 * IM4  It is not written while rows wait for a commit or a compaction is unfinished.
 * IM5  It is not flushed: what a power cut leaves of it fails its checksums.
 * IM6  Values are not in it; they are read from the view when asked for.
 */

/** Grows whenever the arrays of table, tree or records change in meaning or size. */
const imageVersion = 1;
/** Below this many records reading the rows takes no longer. */
const recordsMinDefault = 20_000;

export interface IndexImageOptions {
  readonly file: ImageFile;
  readonly checksum: Checksum;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly recordsMin?: number;
}

/** Nothing wrong: an outcome that the log tells apart. */
type LoadOutcome = "loaded" | "none" | "ignored";

export class IndexImage {
  readonly #options: IndexImageOptions;

  constructor(options: IndexImageOptions) {
    this.#options = options;
  }

  /**
   * Fills the store's empty index, its leases and its revision, if there is an image of this very
   * state. Afterwards there is none (IM3). Throws if it cannot be removed.
   */
  load(store: KvStore): LoadOutcome {
    const { file } = this.#options;
    try {
      const blocks = this.#read(store.view);
      if (blocks === null) return "none";
      if (typeof blocks !== "string") {
        adopt(store, blocks);
        return "loaded";
      }
      store.deps.log.info("index image ignored, reading all keys", { reason: blocks });
      return "ignored";
    } finally {
      file.remove();
    }
  }

  /** IM2: the blocks, why they cannot be used, or null if there is no image. */
  #read(view: View): ImageReader | string | null {
    const { file, checksum } = this.#options;
    const tag = this.#tag(view);
    try {
      const source = file.open();
      if (source === null) return null;
      try {
        if (tag === null) return "a compaction is unfinished";
        const reader = new ImageReader(source, checksum);
        const problem = reader.readAll(utf8(tag));
        if (problem !== null) return problem;
        return isNewest(view, readHead(reader).currentRevision) ? reader : "other revision";
      } finally {
        source.close();
      }
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /**
   * Writes the image, after the last commit and right before the backend closes. A failure is
   * logged only: the next start reads all rows.
   */
  save(store: KvStore): void {
    const { file, checksum, recordsMin = recordsMinDefault } = this.#options;
    const { writer, log } = store.deps;
    if (writer.overlayBytes > 0 || store.index.records.count < recordsMin) return; // IM4
    const tag = this.#tag(writer.view);
    if (tag === null) return;
    try {
      const sink = file.create();
      try {
        const out = new ImageWriter(sink, checksum);
        out.add("tag", [utf8(tag)]);
        out.add("head", [new Float64Array([store.currentRevision])]);
        store.index.save(out);
        saveLeases(store, out);
        out.end();
      } finally {
        sink.close();
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn("cannot write the index image; the next start reads all keys", { error: reason });
      this.#discard();
    }
  }

  /** What was written in part would only take space, which may be what is missing. */
  #discard(): void {
    try {
      this.#options.file.remove();
    } catch {
      // It is not whole, so it is not used, and the next start removes it.
    }
  }

  /** What the image must agree on with the view; null if there can be no image of it (IM4). */
  #tag(view: View): string | null {
    const { clusterId, memberId } = this.#options;
    const row = (key: string | Uint8Array): string => {
      const value = view.get("meta", typeof key === "string" ? utf8(key) : key);
      return value === null ? "-" : [...value].join(".");
    };
    const scheduled = row(keyScheduledCompact);
    const finished = row(keyFinishedCompact);
    if (scheduled !== finished) return null;
    const ids = `${clusterId.toString(16)} ${memberId.toString(16)}`;
    const state = `${view.consistentIndex} ${row("term")} ${finished}`;
    return `quorate index ${imageVersion}\n${ids}\n${state}\n`;
  }
}

function readHead(reader: ImageReader): { currentRevision: number } {
  return { currentRevision: new Float64Array(reader.one("head"))[0]! };
}

/** Whether `revision` is the newest row's, or that of a compaction which removed its row. */
function isNewest(view: View, revision: number): boolean {
  let newest = 0;
  view.range("key", revisionStart(revision), null, (key) => {
    newest = revisionMain(key);
    return newest === revision;
  });
  if (newest !== 0) return newest === revision;
  const finished = view.get("meta", keyFinishedCompact);
  return revision === Math.max(1, finished === null ? 0 : revisionMain(finished));
}

function adopt(store: KvStore, reader: ImageReader): void {
  store.currentRevision = readHead(reader).currentRevision;
  store.index.load(reader);
  const { leases, log } = store.deps;
  const keyIds = new Uint32Array(reader.one("leaseKeys"));
  const ids = new BigInt64Array(reader.one("leaseIds"));
  for (let i = 0; i < keyIds.length; i++) {
    const lease = ids[i]!;
    if (leases.exists(lease)) leases.attach(lease, store.index.keys.copy(keyIds[i]!));
    else log.error("failed to attach a lease", { "lease-id": lease.toString(16) });
  }
}

function saveLeases(store: KvStore, out: ImageWriter): void {
  const { keys, records, tree } = store.index;
  const keyIds: number[] = [];
  const ids: bigint[] = [];
  for (const { ids: leaf, count } of tree.leaves) {
    for (let i = 0; i < count; i++) {
      const id = leaf[i]!;
      if ((records.flags(keys.head(id)) & flagLease) === 0) continue;
      const lease = store.deps.leases.leaseOf(keys.view(id));
      if (lease === 0n) continue;
      keyIds.push(id);
      ids.push(lease);
    }
  }
  out.add("leaseKeys", [Uint32Array.from(keyIds)]);
  out.add("leaseIds", [BigInt64Array.from(ids)]);
}
