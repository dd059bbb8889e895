/** Sizes for people, as etcd's tools print them. */

const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/** `bytes` (at least 0) in powers of 1000: `0 B`, `25 kB`, `2.1 GB`; two digits below ten. */
export function humanBytes(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  // Whole steps, not a logarithm: 1000 must be the next unit on every machine.
  let unit = 0;
  let scaled = bytes;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  const rounded = Math.floor(scaled * 10 + 0.5) / 10;
  return `${rounded < 10 ? rounded.toFixed(1) : toEven(rounded)} ${units[unit]!}`;
}

/** Go's `%.0f` rounds a half to the even neighbour. */
function toEven(value: number): string {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return String(Math.round(value));
  return String(floor % 2 === 0 ? floor : floor + 1);
}
