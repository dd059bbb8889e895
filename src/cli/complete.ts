/**
 * What a shell asks on a tab: `__complete <words…> <word begun>` answers one offer a line (a tab
 * before its description), then a colon and the sum of the directives below. This is cobra's
 * protocol, so scripts made for it work with ours.
 */
import type { CliOutput, Command } from "./command.ts";
import { completionRequests, findCommand } from "./command.ts";
import type { FlagSpec } from "./flag.ts";
import { FlagError } from "./flag.ts";

/** What the shell may do beyond the offers. */
const directive = { standard: 0, noFiles: 4, directories: 16 } as const;
const directiveNames: Readonly<Record<number, string>> = {
  [directive.standard]: "ShellCompDirectiveDefault",
  [directive.noFiles]: "ShellCompDirectiveNoFileComp",
  [directive.directories]: "ShellCompDirectiveFilterDirs",
};

interface Offer {
  readonly text: string;
  readonly description?: string;
}

interface Answer {
  readonly offers: readonly Offer[];
  readonly directive: number;
  readonly error?: string;
}

/** Answers the request in `line`, whose first word is one of {@link completionRequests}. */
export function answerCompletion<Context>(
  root: Command<Context>,
  line: readonly string[],
  output: CliOutput,
): void {
  const [request, ...words] = line;
  const answer = completions(root, words.slice(0, -1), words.at(-1)!);
  if (answer.error !== undefined) output.err(`[Debug] [Error] ${answer.error}\n`);
  const isBrief = request === completionRequests[1];
  for (const { text, description = "" } of answer.offers) {
    const shown =
      isBrief || description === "" ? text : `${text}\t${description.split("\n", 1)[0]!}`;
    output.out(`${shown.trim()}\n`);
  }
  output.out(`:${answer.directive}\n`);
  const name = directiveNames[answer.directive] ?? "";
  output.err(`Completion ended with directive: ${name}\n`);
}

function completions<Context>(
  root: Command<Context>,
  words: readonly string[],
  begun: string,
): Answer {
  const found = findCommand(root, words);
  if (found.error !== undefined) {
    const error = `unable to find a command for arguments: [${words.join(" ")}]`;
    return { offers: [], directive: directive.standard, error };
  }
  const { command } = found;
  const flags = command.flagSet();
  const asked = flagAsked(command, found.line, begun);
  const line = asked?.line ?? found.line;
  let args: readonly string[];
  let isAfterDash: boolean;
  try {
    const parsed = flags.parse(line);
    args = parsed.args;
    isAfterDash = parsed.argsBeforeDash !== -1;
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    const message = `Error while parsing flags from args [${line.join(" ")}]: ${error.message}`;
    return { offers: [], directive: directive.standard, error: message };
  }
  if (flags.isChanged("help")) return { offers: [], directive: directive.noFiles };
  if (asked !== undefined && !isAfterDash) return flagValues(asked.flag);
  const isMissing = (spec: FlagSpec): boolean =>
    !flags.isChanged(spec.name) || spec.type === "stringSlice";
  const required = flags
    .specs()
    .filter((spec) => spec.isRequired === true && !flags.isChanged(spec.name))
    .flatMap((spec) => flagNames(spec, begun));
  if (begun.startsWith("-") && !begun.includes("=") && !isAfterDash) {
    const all = [...command.inheritedFlags(), ...command.localFlags()].filter(isMissing);
    const offers = required.length > 0 ? required : all.flatMap((spec) => flagNames(spec, begun));
    return { offers, directive: directive.noFiles };
  }
  const persistent = new Set(command.spec.persistentFlags?.map((spec) => spec.name));
  const isLocalSet = command
    .localFlags()
    .some((spec) => !persistent.has(spec.name) && flags.isChanged(spec.name));
  return offerWords(command, args, begun, isLocalSet, required);
}

/** Subcommands and the fixed words that may come first. */
function offerWords<Context>(
  command: Command<Context>,
  args: readonly string[],
  begun: string,
  isLocalSet: boolean,
  required: readonly Offer[],
): Answer {
  const offers: Offer[] = [];
  let ending: number = directive.standard;
  const isFirst = args.length === 0;
  const children = command.children.filter((child) => child.isAvailable || child.isHelp);
  if (isFirst && !isLocalSet && children.length > 0) {
    ending = directive.noFiles;
    for (const { name, spec } of children) {
      if (name.startsWith(begun)) offers.push({ text: name, description: spec.short });
    }
  }
  offers.push(...required);
  if (command.isHelp) {
    const topic = findCommand(command.root, args);
    const topics = topic.error === undefined ? topic.command.children : [];
    for (const { name, spec } of topics.filter((child) => child.isAvailable || child.isHelp)) {
      if (name.startsWith(begun)) offers.push({ text: name, description: spec.short });
    }
    return { offers, directive: directive.noFiles };
  }
  const { validArgs } = command.spec;
  if (validArgs !== undefined && isFirst) {
    offers.push(...validArgs.filter((word) => word.startsWith(begun)).map((text) => ({ text })));
    ending = directive.noFiles;
  }
  return { offers, directive: ending };
}

/** The flag whose value is being typed, and the line without it. */
function flagAsked<Context>(
  command: Command<Context>,
  line: readonly string[],
  begun: string,
): { flag: FlagSpec; line: readonly string[] } | undefined {
  const flags = command.flagSet();
  const named = (word: string): FlagSpec | undefined =>
    word.startsWith("--") ? flags.byName(word.slice(2)) : flags.byShort(word.at(-1)!);
  if (begun.startsWith("-") && begun.includes("=")) {
    const flag = named(begun.slice(0, begun.indexOf("=")));
    return flag === undefined ? undefined : { flag, line };
  }
  const last = line.at(-1) ?? "";
  if (!last.startsWith("-") || last.length < 2 || last === "--" || last.includes("=")) {
    return undefined;
  }
  const flag = named(last);
  if (flag === undefined || flag.type === "bool" || begun.startsWith("-")) return undefined;
  return { flag, line: line.slice(0, -1) };
}

function flagValues(flag: FlagSpec): Answer {
  if (flag.complete === "directory") return { offers: [], directive: directive.directories };
  const offers = (flag.complete ?? []).map((text) => ({ text }));
  return { offers, directive: directive.standard };
}

function flagNames(flag: FlagSpec, begun: string): Offer[] {
  if (flag.isHidden === true) return [];
  const names = [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])];
  return names
    .filter((name) => name.startsWith(begun))
    .map((text) => ({ text, description: flag.usage }));
}
