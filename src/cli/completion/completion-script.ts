/** @file The completion script of a shell. */
import type { Command } from "commander";
import { bashCompletion } from "./bash-completion.ts";
import { completionTree } from "./completion-tree.ts";
import { fishCompletion } from "./fish-completion.ts";
import { zshCompletion } from "./zsh-completion.ts";

/** The command that a line without a command's name means. */
const ASSUMED_COMMAND = "draw";

const WRITERS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

export function completionScript(program: Command, shell: keyof typeof WRITERS): string {
  return WRITERS[shell](completionTree(program, ASSUMED_COMMAND));
}
