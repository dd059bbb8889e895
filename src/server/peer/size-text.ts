/** Bytes as etcd's logs show them beside the number: `1.2 MB`, in steps of 1000. */
export function sizeText(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1_000)));
  const value = Math.floor((bytes / 1_000 ** step) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${units[step]!}`;
}
