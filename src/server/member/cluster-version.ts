/** Versions as members compare them: `major.minor.patch`, a pre-release behind `-` ignored. */

export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** What the cluster speaks as long as not every member could be asked. */
export const clusterVersionMin = "3.0.0";

/** null: not a version. */
export function parseVersion(text: string): Version | null {
  const match = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+].*)?$/.exec(text);
  if (match === null) return null;
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]) };
}

export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}

/** "3.7.0" as logs and metrics show it: "3.7". */
export function clusterVersionText(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}
