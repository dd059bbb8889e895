/** The members a new cluster starts with. */
import type { ServerConfig } from "./config.ts";
import type { ConfigUrl } from "./urls.ts";
import { parseUrls } from "./urls.ts";

/** Peer URLs by member name, each list sorted. Throws ValueError with etcd's text. */
export function parseInitialCluster(text: string): Map<string, ConfigUrl[]> {
  const texts = new Map<string, string[]>();
  for (const part of text.split(",")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = equals === -1 ? part : part.slice(0, equals);
    const url = equals === -1 ? "" : part.slice(equals + 1);
    texts.set(name, [...(texts.get(name) ?? []), url]);
  }
  return new Map([...texts].map(([name, urls]) => [name, parseUrls(urls.join(","))]));
}

/**
 * What is wrong with the settings of a member that starts without data, or null. A member that has
 * data ignores these settings.
 */
export function checkBootstrap(config: BootstrapSettings): string | null {
  let cluster: Map<string, ConfigUrl[]>;
  try {
    cluster = parseInitialCluster(config.initialCluster);
  } catch (error) {
    return `error setting up initial cluster: ${error instanceof Error ? error.message : ""}`;
  }
  const own = cluster.get(config.name);
  if (own === undefined) {
    return `couldn't find local name ${JSON.stringify(config.name)} in the initial cluster configuration`;
  }
  if (config.initialClusterState === "new") {
    // Who joins has announced its URLs to the cluster before.
    const mismatch = compareUrls(
      config.name,
      config.initialAdvertisePeerUrls.map((url) => url.text),
      own.map((url) => url.text),
    );
    if (mismatch !== null) return mismatch;
  }
  const urls = [...cluster.values()].flat().map((url) => url.text);
  if (new Set(urls).size < urls.length) {
    return `initial cluster ${clusterText(cluster)} has duplicate url`;
  }
  return null;
}

/** The settings that say which cluster a member without data belongs to. */
export type BootstrapSettings = Pick<
  ServerConfig,
  | "name"
  | "initialCluster"
  | "initialClusterState"
  | "initialClusterToken"
  | "initialAdvertisePeerUrls"
  | "maxLearners"
  | "forceNewCluster"
>;

/** As etcd prints it: one pair per URL, sorted. */
function clusterText(cluster: ReadonlyMap<string, readonly ConfigUrl[]>): string {
  const pairs = [...cluster].flatMap(([name, urls]) => urls.map((url) => `${name}=${url.text}`));
  return pairs.sort().join(",");
}

/** Why the lists differ, in etcd's words, or null: the same URLs in any order. */
export function urlsDiffer(a: readonly string[], b: readonly string[]): string | null {
  if (a.length !== b.length) return `len(${quotedList(a)}) != len(${quotedList(b)})`;
  const [left, right] = [[...a].sort(), [...b].sort()];
  const at = left.findIndex((url, i) => url !== right[i]);
  if (at === -1) return null;
  return `resolved urls: ${JSON.stringify(left[at])} != ${JSON.stringify(right[at])}`;
}

function quotedList(urls: readonly string[]): string {
  return `[${urls.map((url) => JSON.stringify(url)).join(" ")}]`;
}

/** Both lists sorted. */
function compareUrls(
  name: string,
  advertised: readonly string[],
  initial: readonly string[],
): string | null {
  const why = urlsDiffer(advertised, initial);
  if (why === null) return null;
  const missing = initial.filter((url) => !advertised.includes(url));
  const own = (urls: readonly string[]): string => urls.map((url) => `${name}=${url}`).join(",");
  if (missing.length > 0) {
    return `--initial-cluster has ${own(missing)} but missing from --initial-advertise-peer-urls=${advertised.join(",")} (${why})`;
  }
  const extra = advertised.filter((url) => !initial.includes(url));
  return `--initial-advertise-peer-urls has ${extra.join(",")} but missing from --initial-cluster=${own(advertised)}`;
}
