/** File names of the WAL: `%016x-%016x.wal` (segment, first index) and `spare-%016x.tmp`. */

export interface SegmentName {
  readonly segment: number;
  readonly firstIndex: number;
}

export function segmentName(segment: number, firstIndex: number): string {
  return `${hex16(segment)}-${hex16(firstIndex)}.wal`;
}

export function parseSegmentName(name: string): SegmentName | null {
  const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/.exec(name);
  if (match === null) return null;
  return { segment: parseInt(match[1]!, 16), firstIndex: parseInt(match[2]!, 16) };
}

/** A segment file that is not in use: new and being zeroed, or kept to be used again. */
export function spareName(number: number): string {
  return `spare-${hex16(number)}.tmp`;
}

export function parseSpareName(name: string): number | null {
  const match = /^spare-([0-9a-f]{16})\.tmp$/.exec(name);
  return match === null ? null : parseInt(match[1]!, 16);
}

function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
