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
export function checkBootstrap(config: ServerConfig): string | null {
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
  const mismatch = compareUrls(
    config.name,
    config.initialAdvertisePeerUrls.map((url) => url.text),
    own.map((url) => url.text),
  );
  if (mismatch !== null) return mismatch;
  if (cluster.size > 1) {
    return `--initial-cluster names ${cluster.size} members: this version of Quorate runs one`;
  }
  if (config.initialClusterState === "existing") {
    return "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs";
  }
  return null;
}

/** Both lists sorted. */
function compareUrls(
  name: string,
  advertised: readonly string[],
  initial: readonly string[],
): string | null {
  const quoted = (urls: readonly string[]): string =>
    `[${urls.map((url) => JSON.stringify(url)).join(" ")}]`;
  const at = advertised.findIndex((url, i) => url !== initial[i]);
  if (at === -1 && advertised.length === initial.length) return null;
  const why =
    advertised.length === initial.length
      ? `resolved urls: ${JSON.stringify(advertised[at])} != ${JSON.stringify(initial[at])}`
      : `len(${quoted(advertised)}) != len(${quoted(initial)})`;
  const missing = initial.filter((url) => !advertised.includes(url));
  const own = (urls: readonly string[]): string => urls.map((url) => `${name}=${url}`).join(",");
  if (missing.length > 0) {
    return `--initial-cluster has ${own(missing)} but missing from --initial-advertise-peer-urls=${advertised.join(",")} (${why})`;
  }
  const extra = advertised.filter((url) => !initial.includes(url));
  return `--initial-advertise-peer-urls has ${extra.join(",")} but missing from --initial-cluster=${own(advertised)}`;
}
