/** @file Mistakes in a command line: one line that says what is wrong and where help is. */
import type { Command } from "commander";
import { printable } from "../formats/quoted.ts";

/** `nextstep data build`. */
export function commandPath(command: Command): string {
  return command.parent === null ? command.name() : `${commandPath(command.parent)} ${command.name()}`;
}

/** Ends with exit code 2 and one line, as a mistake does that the parser finds. */
export function refuseUsage(command: Command, message: string | undefined): void {
  if (message !== undefined) command.error(message);
}

/** Makes a command and all below it tell their mistakes so. */
export function tellMistakesInOneLine(command: Command): void {
  command.configureOutput({
    outputError: (text, write) => {
      const message = text
        .trim()
        .replace(/^error: /, "")
        .replaceAll(/\s*\n\s*/g, " ");
      write(`nextstep: ${printable(message)} (see ${commandPath(command)} --help)\n`);
    },
  });
  for (const below of command.commands) tellMistakesInOneLine(below);
}
