/** What a watch was asked for: keys, options, and the command to run for each event. */
import { goQuote } from "../../cli/go-quote.ts";
import type { FlagSet, ParsedLine } from "../../cli/flag.ts";
import type { WatchOptions } from "../../client/types.ts";
import { looseBytes } from "../input/loose-text.ts";
import { badUse } from "./get.ts";

/** A watch that is missing something or has too much of it. */
export class WatchWordsError extends Error {
  override readonly name = "WatchWordsError";
}

/** Key and end of the range, as the environment names them. */
export interface WatchEnvironment {
  readonly key: string;
  readonly rangeEnd: string;
}

export interface WatchWords {
  /** The key, perhaps the end of a range; more is passed over. */
  readonly keys: readonly string[];
  /** Run for each event; empty: none. */
  readonly command: readonly string[];
}

/** @throws ExitError */
export function readWatchEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): WatchEnvironment {
  const { ETCDCTL_WATCH_KEY: key = "", ETCDCTL_WATCH_RANGE_END: rangeEnd = "" } = env;
  if (key === "" && rangeEnd !== "") {
    const shown = goQuote(rangeEnd);
    throw badUse(`ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END=${shown}`);
  }
  return { key, rangeEnd };
}

const tooFew = "bad number of arguments";

/** @throws WatchWordsError */
export function watchWords(
  { args, argsBeforeDash }: ParsedLine,
  { key, rangeEnd }: WatchEnvironment,
): WatchWords {
  const hasDash = argsBeforeDash !== -1;
  const given = hasDash ? args.slice(0, argsBeforeDash) : args;
  const command = hasDash ? args.slice(argsBeforeDash) : [];
  if (hasDash && command.length === 0) {
    throw new WatchWordsError(`${tooFew} (found separator --, but no commands)`);
  }
  if (key === "" && given.length === 0) throw new WatchWordsError(tooFew);
  if (key !== "" && given.length > 0) {
    throw new WatchWordsError(`${tooFew} (found conflicting environment key)`);
  }
  const named = rangeEnd === "" ? [key] : [key, rangeEnd];
  return { keys: key === "" ? given : named, command };
}

export interface WatchRequest {
  readonly key: Uint8Array;
  readonly options: WatchOptions;
}

/** @throws WatchWordsError */
export function watchRequest(flags: FlagSet, keys: readonly string[]): WatchRequest {
  const [key = "", rangeEnd] = keys;
  const hasRange = keys.length === 2;
  const prefix = flags.bool("prefix");
  if (hasRange && prefix) {
    throw new WatchWordsError("`range_end` and `--prefix` are mutually exclusive");
  }
  const revision = flags.int("rev");
  const options = {
    ...(prefix ? { prefix } : {}),
    ...(hasRange ? { rangeEnd: looseBytes(rangeEnd!) } : {}),
    ...(revision > 0 ? { startRevision: revision } : {}),
    prevKv: flags.bool("prev-kv"),
    progressNotify: flags.bool("progress-notify"),
    requireLeader: true,
  };
  return { key: looseBytes(key), options };
}
