/** @file What a shell can complete, read off the commands themselves. */
import type { Command, Option } from "commander";
import { REWARD_BEGINNINGS } from "../../evaluate/rewards/reward-spec.ts";
import { CHOSEN_BY } from "../../generate/recipe-chosen.ts";

/** What a value may be; a text of one's own is `text`. */
export type Values =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" }
  | { readonly kind: "folders" }
  | { readonly kind: "text" };

export interface CompletedOption {
  /** With their dashes: `--help`, `-h`. */
  readonly names: readonly string[];
  readonly description: string;
  /** Undefined for one that takes no value. */
  readonly value: Values | undefined;
}

export interface CompletedCommand {
  /** From the program's name down: `["nextstep", "data", "build"]`. */
  readonly path: readonly string[];
  readonly description: string;
  readonly commands: readonly CompletedCommand[];
  readonly options: readonly CompletedOption[];
  /** What stands behind the name besides options and commands. */
  readonly operand: Values;
}

/** Placeholders by which commands name what lies on the disk. */
const FILES: ReadonlySet<string> = new Set(["file", "files", "path", "config"]);
const FOLDERS: ReadonlySet<string> = new Set(["folder", "out"]);

/** What begins a value, by placeholders of those that say more than a list of choices can. */
const BEGINNINGS: Readonly<Record<string, readonly string[]>> = {
  reward: REWARD_BEGINNINGS,
  measure: [...CHOSEN_BY, ...REWARD_BEGINNINGS],
};

function valuesOf(placeholder: string | undefined, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return { kind: "words", words: choices };
  const beginnings = placeholder === undefined ? undefined : BEGINNINGS[placeholder];
  if (beginnings !== undefined) return { kind: "words", words: beginnings };
  if (placeholder !== undefined && FILES.has(placeholder)) return { kind: "files" };
  return { kind: placeholder !== undefined && FOLDERS.has(placeholder) ? "folders" : "text" };
}

function completedOption({
  long,
  short,
  flags,
  description,
  argChoices,
  required,
  optional,
}: Option): CompletedOption {
  const [, placeholder] = /[<[]([\w-]+)/.exec(flags) ?? [];
  return {
    names: [long, short].filter((name) => name !== undefined && name !== null),
    description,
    value: required || optional ? valuesOf(placeholder, argChoices) : undefined,
  };
}

/**
 * A command and all below it that are not hidden.
 * @param assumed name of the command that is meant where none is named: its options stand beside the program's own.
 */
export function completionTree(
  command: Command,
  assumed?: string,
  above: readonly string[] = [],
): CompletedCommand {
  const help = command.createHelp();
  const path = [...above, command.name()];
  const commands = help.visibleCommands(command);
  const meant = commands.find((below) => below.name() === assumed);
  const options = [command, ...(meant === undefined ? [] : [meant])].flatMap((source) =>
    help.visibleOptions(source),
  );
  const [argument] = (meant ?? command).registeredArguments;
  return {
    path,
    description: command.description(),
    commands: commands.map((below) => completionTree(below, undefined, path)),
    options: [...new Map(options.map((option) => [option.long, completedOption(option)])).values()],
    operand: valuesOf(argument?.name(), argument?.argChoices),
  };
}

/** The command and all below it. */
export function* everyCommand(command: CompletedCommand): Generator<CompletedCommand> {
  yield command;
  for (const below of command.commands) yield* everyCommand(below);
}
