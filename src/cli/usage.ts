/** Help and usage in cobra's layout. */
import type { Command, ProgramSpec } from "./command.ts";
import { flagUsages } from "./flag.ts";

/** Names of subcommands are padded to this, or to the longest of them. */
const namePaddingMin = 11;

/** What `--help` prints. */
export function helpText<Context>(
  program: ProgramSpec<Context>,
  command: Command<Context>,
): string {
  const { spec } = command;
  const footer = program.helpFooter === undefined ? "" : `${program.helpFooter}\n`;
  const description = (spec.long ?? spec.short).trimEnd();
  const isAlone = program.isHelpShort === true || description === "";
  const intro = isAlone ? "" : `${description}\n\n`;
  const hasUsage =
    program.isHelpShort === true || command.isRunnable || command.children.length > 0;
  return intro + (hasUsage ? usageText(command) : "") + footer;
}

/** How a command is used; `isBare` leaves out `--help` of its own flags. */
export function usageText<Context>(command: Command<Context>, isBare = false): string {
  const { spec } = command;
  const isParent = command.children.some((child) => child.isAvailable);
  const sections = ["Usage:"];
  if (command.isRunnable) sections.push(`\n  ${useLine(command)}`);
  if (isParent) sections.push(`\n  ${command.path} [command]`);
  if (spec.example !== undefined) sections.push(`\n\nExamples:\n${spec.example}`);
  if (isParent) sections.push(listCommands(command));
  const local = flagUsages(command.localFlags(isBare));
  if (local !== "") sections.push(`\n\nFlags:\n${local.trimEnd()}`);
  const inherited = flagUsages(command.inheritedFlags());
  if (inherited !== "") sections.push(`\n\nGlobal Flags:\n${inherited.trimEnd()}`);
  if (isParent) {
    const hint = `Use "${command.path} [command] --help" for more information about a command.`;
    sections.push(`\n\n${hint}`);
  }
  return `${sections.join("")}\n`;
}

function useLine<Context>(command: Command<Context>): string {
  const { use, isUseComplete } = command.spec;
  const line = command.parent === undefined ? use : `${command.parent.path} ${use}`;
  return isUseComplete === true || line.includes("[flags]") ? line : `${line} [flags]`;
}

function listCommands<Context>(command: Command<Context>): string {
  const shown = command.children.filter((child) => child.isAvailable || child.isHelp);
  const { groups } = command.spec;
  if (groups === undefined) return section("Available Commands:", shown, command);
  const listed = groups.map((title) =>
    section(
      title,
      shown.filter((child) => child.spec.group === title),
      command,
    ),
  );
  const others = command.children.filter((child) => child.spec.group === undefined);
  if (others.length > 0) {
    const available = others.filter((child) => shown.includes(child));
    listed.push(section("Additional Commands:", available, command));
  }
  return listed.join("");
}

function section<Context>(
  title: string,
  commands: readonly Command<Context>[],
  parent: Command<Context>,
): string {
  const padding = Math.max(namePaddingMin, ...parent.children.map(({ name }) => name.length));
  const lines = commands.map(({ name, spec }) => `\n  ${name.padEnd(padding)} ${spec.short}`);
  return `\n\n${title}${lines.join("")}`;
}
