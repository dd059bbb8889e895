/**
 * A tree of commands read as cobra reads it: the same command is found, the same words are refused
 * with the same text, help looks the same. A program is a table ({@link CommandSpec}); what a
 * command does is loaded when it runs (`run` imports it), so that a start stays quick. run.ts runs
 * a program.
 */
import type { FlagSpec } from "./flag.ts";
import { FlagSet } from "./flag.ts";
import { goQuote } from "./go-quote.ts";

export interface CliOutput {
  readonly out: (text: string | Uint8Array) => void;
  readonly err: (text: string) => void;
}

export interface CommandSpec<Context> {
  /** Where it is not the first word of `use`: a program's name of several words. */
  readonly name?: string;
  /** Name, then what follows it: `status <filename>`. */
  readonly use: string;
  readonly short: string;
  readonly long?: string;
  readonly example?: string;
  /** The title of one of the parent's `groups`. */
  readonly group?: string;
  /** Titles under which help lists the subcommands; without it they are one list. */
  readonly groups?: readonly string[];
  /** The group of the `help` command. */
  readonly helpGroup?: string;
  readonly flags?: readonly FlagSpec[];
  /** Flags of this command and everything below it. */
  readonly persistentFlags?: readonly FlagSpec[];
  readonly args?: ArgsRule;
  readonly validArgs?: readonly string[];
  /** Not in help, not completed. */
  readonly isHidden?: boolean;
  /** The use line stands without `[flags]`. */
  readonly isUseComplete?: boolean;
  readonly commands?: readonly CommandSpec<Context>[];
  /** Without it the command only shows its help. */
  readonly run?: (call: Call<Context>) => Promise<void> | void;
}

/** What a shell asks by (complete.ts); the second one wants no descriptions. */
export const completionRequests: readonly string[] = ["__complete", "__completeNoDesc"];

/** How many arguments, and whether they must be of `validArgs`. Without it any. */
export interface ArgsRule {
  readonly min?: number;
  readonly max?: number;
  readonly isOnlyValid?: boolean;
}

export interface ProgramSpec<Context> {
  readonly root: CommandSpec<Context>;
  /** Help is the usage alone, without the description. */
  readonly isHelpShort?: boolean;
  /** A line behind every help. */
  readonly helpFooter?: string;
  /** A line that cannot be read is reported once more after the usage. */
  readonly isErrorRepeated?: boolean;
}

/** One command line, read. */
export interface Call<Context> {
  readonly context: Context;
  readonly output: CliOutput;
  readonly command: Command<Context>;
  readonly flags: FlagSet;
  readonly args: readonly string[];
  /** How many of `args` came before `--`; -1 without it. */
  readonly argsBeforeDash: number;
}

/** A command with its place in the tree. */
export class Command<Context> {
  readonly spec: CommandSpec<Context>;
  readonly parent: Command<Context> | undefined;
  /** In the order of their names. */
  readonly children: readonly Command<Context>[];
  readonly isHelp: boolean;

  constructor(spec: CommandSpec<Context>, parent?: Command<Context>, isHelp = false) {
    this.spec = spec;
    this.parent = parent;
    this.isHelp = isHelp;
    const children = (spec.commands ?? []).map((child) => new Command(child, this));
    if (parent === undefined && children.length > 0) {
      children.push(new Command(helpSpec(spec), this, true));
    }
    this.children = children.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get name(): string {
    return nameOf(this.spec);
  }

  /** All names from the root on. */
  get path(): string {
    return this.parent === undefined ? this.name : `${this.parent.path} ${this.name}`;
  }

  get root(): Command<Context> {
    return this.parent?.root ?? this;
  }

  get isRunnable(): boolean {
    return this.spec.run !== undefined || this.isHelp;
  }

  /** Whether help and completion offer it (the help command is offered apart). */
  get isAvailable(): boolean {
    if (this.spec.isHidden === true || this.isHelp) return false;
    return this.isRunnable || this.children.some((child) => child.isAvailable);
  }

  /** Flags of its own, `--help` among them unless `isBare`. */
  localFlags(isBare = false): FlagSpec[] {
    const own = [...(this.spec.flags ?? []), ...(this.spec.persistentFlags ?? [])];
    const all = [...own, ...this.#parentFlags()];
    if (!isBare && !all.some((flag) => flag.name === "help")) own.push(helpFlag(this.name));
    return new FlagSet(own).specs();
  }

  /** Flags of the commands above. */
  inheritedFlags(): FlagSpec[] {
    const own = new Set(this.localFlags().map((flag) => flag.name));
    return new FlagSet(this.#parentFlags()).specs().filter((flag) => !own.has(flag.name));
  }

  /** A fresh set of all flags, none set; `isBare` as in {@link localFlags}. */
  flagSet(isBare = false): FlagSet {
    return new FlagSet([...this.localFlags(isBare), ...this.inheritedFlags()]);
  }

  #parentFlags(): FlagSpec[] {
    const flags: FlagSpec[] = [];
    for (let at = this.parent; at !== undefined; at = at.parent) {
      flags.push(...(at.spec.persistentFlags ?? []));
    }
    return flags;
  }
}

function nameOf<Context>({ name, use }: CommandSpec<Context>): string {
  return name ?? use.split(" ", 1)[0]!;
}

const helpFlag = (name: string): FlagSpec => ({
  name: "help",
  short: "h",
  type: "bool",
  usage: `help for ${name}`,
});

function helpSpec<Context>(root: CommandSpec<Context>): CommandSpec<Context> {
  const name = nameOf(root);
  return {
    use: "help [command]",
    short: "Help about any command",
    long:
      "Help provides help for any command in the application.\n" +
      `Simply type ${name} help [path to command] for full details.`,
    ...(root.helpGroup === undefined ? {} : { group: root.helpGroup }),
  };
}

export interface Found<Context> {
  readonly command: Command<Context>;
  /** The line without the names of commands. */
  readonly line: readonly string[];
  /** Why the words name no command. */
  readonly error?: string;
}

/** The command that `line` names: by whole names, or by the beginning of exactly one. */
export function findCommand<Context>(
  root: Command<Context>,
  line: readonly string[],
): Found<Context> {
  let command = root;
  let rest = line;
  for (;;) {
    // `--help` is not known yet: like any unknown flag it takes the next word with it.
    const first = firstWord(rest, command.flagSet(true));
    if (first === undefined) return { command, line: rest };
    const next = nextCommand(command, rest[first]!);
    if (next === undefined) {
      const isStray = command.children.length > 0 && command.parent === undefined;
      if (!isStray || command.spec.args !== undefined) return { command, line: rest };
      const word = rest[first]!;
      const error = `unknown command ${goQuote(word)} for ${goQuote(command.path)}`;
      return { command, line: rest, error: error + suggestions(command, word) };
    }
    rest = [...rest.slice(0, first), ...rest.slice(first + 1)];
    command = next;
  }
}

/** Where the first word stands that is neither a flag nor the value of one. */
function firstWord(line: readonly string[], flags: FlagSet): number | undefined {
  for (let at = 0; at < line.length; at++) {
    const word = line[at]!;
    if (word === "--") break;
    const isLong = word.startsWith("--");
    const takesNext = isLong
      ? !word.includes("=") && !flags.isSwitch(word.slice(2))
      : word.length === 2 && word.startsWith("-") && !flags.isShortSwitch(word[1]!);
    if (takesNext) {
      // The last word is the flag's value, whatever it is.
      if (at + 2 >= line.length) break;
      at++;
    } else if (word !== "" && !word.startsWith("-")) {
      return at;
    }
  }
  return undefined;
}

function nextCommand<Context>(
  command: Command<Context>,
  word: string,
): Command<Context> | undefined {
  const whole = command.children.find((child) => child.name === word);
  if (whole !== undefined) return whole;
  // One that is not shown must not change what a short word means.
  const matches = command.children.filter(
    (child) => child.spec.isHidden !== true && child.name.startsWith(word),
  );
  return matches.length === 1 ? matches[0] : undefined;
}

/** Edits between a word and a name that is offered instead. */
const suggestionDistanceMax = 2;

/**
 * Names near a word that names nothing, as the end of an error; may be empty. In the order of the
 * table, not of the names.
 */
export function suggestions<Context>(command: Command<Context>, word: string): string {
  const typed = word.toLowerCase();
  const asListed = (command.spec.commands ?? []).map(nameOf);
  const near = command.children
    .filter((child) => child.isAvailable)
    .map((child) => child.name)
    .sort((a, b) => asListed.indexOf(a) - asListed.indexOf(b))
    .filter((name) => name.startsWith(typed) || editDistance(typed, name) <= suggestionDistanceMax);
  if (near.length === 0) return "";
  return `\n\nDid you mean this?\n${near.map((name) => `\t${name}\n`).join("")}`;
}

/** Insertions, removals and changes between two words. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      row.push(isSame ? above[j - 1]! : 1 + Math.min(above[j - 1]!, above[j]!, row[j - 1]!));
    }
    above = row;
  }
  return above[b.length]!;
}
