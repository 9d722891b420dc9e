/** @file A command line as a program and its arguments, without a shell. */
import { ConfigError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";

/** A word: runs of what is no space and no quotation mark, and of what stands between two of them. */
const WORD = /(?:[^\s"']+|"[^"]*"|'[^']*')+/g;

/**
 * Words with spaces between them; quotation marks, single or double, keep spaces together and are left out. Nothing else has
 * a meaning: there are no variables and no patterns.
 * @throws ConfigError for none, or for a quotation mark that is not closed.
 */
export function commandWords(text: string): [program: string, ...args: string[]] {
  if (text.replace(WORD, "").trim() !== "") {
    throw new ConfigError("has a quotation mark that is not closed", { where: `command ${quoted(text)}` });
  }
  const [program, ...args] = (text.match(WORD) ?? []).map((word) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"),
  );
  if (program === undefined || program === "")
    throw new ConfigError("names no program", { where: "command" });
  return [program, ...args];
}
