import assert from "node:assert/strict";
import type { Entry, HardState } from "../../src/raft/types.ts";
import type { Random } from "../../src/base/ports.ts";
import { createRandom } from "../../src/base/random.ts";
import { nodeChecksum } from "../../src/io/node-checksum.ts";
import { openWal, type OpenedWal, type WalSettings } from "../../src/server/wal/open.ts";
import { SimDisk } from "../sim/disk.ts";
import { Scheduler, type Life } from "../sim/scheduler.ts";
import { createLife } from "../sim/turn.ts";

/** Small segments and frames: every path is taken by a handful of entries. */
export const smallSettings: Partial<WalSettings> = {
  segmentBytes: 4096,
  firstSegmentBytes: 4096,
  paddingBytes: 512,
  zeroChunkBytes: 1024,
  sparesMax: 2,
};

export const directory = "/data/member/wal";

/** A machine with a WAL on it that can be opened, crashed and opened again. */
export class WalWorld {
  readonly scheduler = new Scheduler();
  readonly random: Random;
  readonly disk: SimDisk;
  life: Life;
  durable = 0;
  failure: Error | null = null;

  constructor(seed: number) {
    this.random = createRandom(seed);
    this.disk = new SimDisk(this.scheduler, this.random.fork("disk"));
    this.life = createLife(this.scheduler).life;
  }

  /** Opens the log in a new life. Null: the process crashed on the way. */
  open(settings: Partial<WalSettings> = {}): OpenedWal | Error | null {
    const { life } = createLife(this.scheduler);
    this.life = life;
    this.durable = 0;
    this.failure = null;
    const outcome: { value: OpenedWal | Error | null } = { value: null };
    this.run(() => {
      openWal(
        {
          disk: this.disk.portFor(life),
          checksum: nodeChecksum,
          random: this.random.fork("nonce"),
          directory,
          clusterId: 0xcn,
          memberId: 0xffffffffffffffffn,
          keepFrom: 1,
          now: () => this.scheduler.now,
          durable: (ticket) => {
            this.durable = Math.max(this.durable, ticket);
          },
          failed: (error) => {
            assert.equal(this.failure, null, "a failure is reported once");
            this.failure = error;
          },
          settings: { ...smallSettings, ...settings },
        },
        (error, opened) => {
          outcome.value = error ?? opened;
        },
      );
    });
    this.settle();
    return outcome.value;
  }

  mustOpen(settings: Partial<WalSettings> = {}): OpenedWal {
    const opened = this.open(settings);
    if (opened instanceof Error) throw opened;
    assert.ok(opened !== null, "the process crashed while opening");
    return opened;
  }

  /** Runs process code; a simulated crash inside ends the life. */
  run(code: () => void): void {
    this.scheduler.after(0, this.life, code);
    this.scheduler.step();
  }

  /** Everything under way ends. */
  settle(): void {
    while (this.scheduler.step());
  }

  /** Power loss. */
  crash(): void {
    this.life.isAlive = false;
    this.disk.crash();
  }
}

export function entry(index: number, term: number, length: number): Entry {
  const data = new Uint8Array(length);
  for (let i = 0; i < length; i++) data[i] = (index * 31 + i * 7 + term) & 0xff;
  return { type: index % 5 === 0 ? 1 : 0, term, index, data };
}

export function hardState(term: number, commit: number): HardState {
  return { term, vote: 0xfffffffffffffff1n, commit };
}

/** Entries as something that compares well. */
export function plain(entries: readonly Entry[]): string[] {
  return entries.map(
    (e) => `${e.index}/${e.term}/${e.type}:${Buffer.from(e.data).toString("base64")}`,
  );
}
