// Reads a server's /metrics page.
/** Values by name with labels, as on the page. */
export type Metrics = ReadonlyMap<string, number>;

export async function readMetrics(server: { readonly endpoint: string }): Promise<Metrics> {
  const page = await (await fetch(`http://${server.endpoint}/metrics`)).text();
  const values = new Map<string, number>();
  for (const line of page.split("\n")) {
    const at = line.lastIndexOf(" ");
    if (at > 0 && !line.startsWith("#")) values.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return values;
}

export interface Bucket {
  /** Upper bound. */
  readonly bound: number;
  readonly count: number;
}

/** A histogram's buckets between two readings, by rising bound; empty where there is none. */
export function turnsSince(name: string, before: Metrics, after: Metrics): Bucket[] {
  const prefix = `${name}_bucket{le="`;
  const buckets: Bucket[] = [];
  let below = 0;
  for (const [key, value] of after) {
    if (!key.startsWith(prefix)) continue;
    const text = key.slice(prefix.length, -2);
    const total = value - (before.get(key) ?? 0);
    buckets.push({ bound: text === "+Inf" ? Infinity : Number(text), count: total - below });
    below = total;
  }
  return buckets;
}

const longTurnSeconds = 0.01;

/** Of turns: the bound that none was beyond (null without any), and how many took over 10 ms. */
export function longestTurn(turns: readonly Bucket[]): {
  longestTurnSeconds: number | null;
  longTurns: number;
} {
  const longest = turns.findLast(({ count }) => count > 0);
  const long = turns.filter(({ bound }) => bound > longTurnSeconds);
  return {
    longestTurnSeconds: longest?.bound ?? null,
    longTurns: long.reduce((sum, { count }) => sum + count, 0),
  };
}
