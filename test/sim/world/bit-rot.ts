/** Damage of a log that was safely on the disk: something else is read than was written. */

import type { Random } from "../../../src/base/ports.ts";
import { nodeChecksum } from "../../../src/io/node-checksum.ts";
import { decodeSegmentHeader, readFrame } from "../../../src/server/wal/format.ts";
import { parseSegmentName } from "../../../src/server/wal/names.ts";
import type { SimDisk } from "../disk.ts";

interface Place {
  readonly path: string;
  readonly at: number;
  /** The whole frame, and what of it is not padding. */
  readonly bytes: number;
  readonly used: number;
}

/**
 * Damages one frame of the log, never the last: of that one nobody could tell that it was written.
 * Returns what was done; null: there are too few frames. The process must not run.
 */
export function damageLog(disk: SimDisk, random: Random): string | null {
  const places = placesOf(disk);
  places.pop();
  if (places.length < 2) return null;
  const place = places[random.below(places.length)]!;
  const { path, at, bytes, used } = place;
  const file = disk.files().get(path)!;
  switch (random.below(3)) {
    case 0: {
      const offset = at + random.below(used);
      disk.damage(path, offset, new Uint8Array([file[offset]! ^ (1 << random.below(8))]));
      return "a bit is wrong";
    }
    case 1:
      disk.damage(path, at, new Uint8Array(bytes));
      return "a write was lost";
    default: {
      const fitting = places.filter((other) => other !== place && other.bytes <= bytes);
      const from = fitting[random.below(Math.max(1, fitting.length))];
      if (from === undefined) return null;
      const other = disk.files().get(from.path)!;
      disk.damage(path, at, other.slice(from.at, from.at + from.bytes));
      return "a write went to another place";
    }
  }
}

/** Of a frame: what comes before its entries. */
const headerBytes = 72;

function placesOf(disk: SimDisk): Place[] {
  const checksum = nodeChecksum;
  const segments = [...disk.files()].flatMap(([path, bytes]) => {
    const name = parseSegmentName(path.slice(path.lastIndexOf("/") + 1));
    return name === null ? [] : [{ path, bytes, segment: name.segment }];
  });
  segments.sort((a, b) => a.segment - b.segment);
  const places: Place[] = [];
  for (const { path, bytes } of segments) {
    const header = decodeSegmentHeader(bytes, checksum);
    if (typeof header === "string") continue;
    let sequence = header.firstSequence;
    let at = header.paddingBytes;
    for (;;) {
      const frame = readFrame(bytes, at, sequence++, { ...header, checksum });
      if (frame.kind !== "frame") break;
      places.push({ path, at, bytes: frame.bytes, used: headerBytes + frame.header.payloadBytes });
      at += frame.bytes;
    }
  }
  return places;
}
