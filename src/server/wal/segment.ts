import type { Checksum, Disk, Done } from "../../base/ports.ts";
import { encodeSegmentHeader, type SegmentHeader } from "./format.ts";
import { segmentName } from "./names.ts";
import type { Spare } from "./segment-pool.ts";

/** A segment of the log. */
export interface LiveSegment {
  readonly segment: number;
  readonly firstIndex: number;
  readonly path: string;
  readonly bytes: number;
  frames: number;
}

/** Turns a spare file into the newest segment; durable when done. */
export function createSegment(
  options: { disk: Disk; checksum: Checksum; directory: string },
  spare: Spare,
  header: SegmentHeader,
  done: Done<LiveSegment>,
): void {
  const { disk, directory } = options;
  const path = `${directory}/${segmentName(header.segment, header.firstIndex)}`;
  const { segment, firstIndex } = header;
  const live: LiveSegment = { segment, firstIndex, path, bytes: spare.bytes, frames: 0 };
  // The header first: under its final name the file is a segment already.
  spare.file.writeDurable(0, encodeSegmentHeader(header, options.checksum), (writeError) => {
    if (writeError !== null) {
      done(writeError, live);
      return;
    }
    disk.rename(spare.path, path, (renameError) => {
      if (renameError !== null) {
        done(renameError, live);
        return;
      }
      disk.syncDir(directory, (syncError) => {
        done(syncError, live);
      });
    });
  });
}
