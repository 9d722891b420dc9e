/** @file The part of a completion script that bash and zsh read alike: tables, and finding which command is being typed. */
import { shellWord } from "../shell-word.ts";
import { type CompletedCommand, everyCommand, type Values } from "./completion-tree.ts";

/** `kind` and `choices` as the shells get them. */
function assignments(values: Values): string {
  const choices = values.kind === "words" ? ` choices=${shellWord(values.words.join("\n"))}` : "";
  return `kind=${values.kind}${choices}`;
}

/**
 * Functions that set variables of their caller: `NAME_value PLACE OPTION` sets `kind` (empty for an option without value)
 * and `choices`, one a line; `NAME_operand PLACE` does so for what stands behind the name; `NAME_is_command PLACE WORD`
 * tells by its status. A place is the words of a command with spaces between them.
 */
export function shellTables(root: CompletedCommand, name: string): string {
  const all = [...everyCommand(root)];
  const place = ({ path }: CompletedCommand): string => path.join(" ");
  const values = all.flatMap((command) =>
    command.options.flatMap(({ names, value }) =>
      value === undefined
        ? []
        : [
            `    ${names.map((option) => shellWord(`${place(command)} ${option}`)).join("|")}) ${assignments(value)} ;;`,
          ],
    ),
  );
  const operands = all.map(
    (command) => `    ${shellWord(place(command))}) ${assignments(command.operand)} ;;`,
  );
  const below = all.slice(1).map((command) => `    ${shellWord(place(command))}) return 0 ;;`);
  return `${name}_value() {
  kind= choices=
  case "$1 $2" in
${values.join("\n")}
  esac
}

${name}_operand() {
  kind= choices=
  case "$1" in
${operands.join("\n")}
  esac
}

${name}_is_command() {
  case "$1 $2" in
${below.join("\n")}
  esac
  return 1
}`;
}

/**
 * A loop over the words before the one being typed; leaves the command in `place`, an option that waits for its value
 * in `waiting`, and in `operands` how many words are neither.
 * @param words expression of one word by its index `i`.
 */
export function shellWalk(name: string, root: CompletedCommand, loop: string, word: string): string {
  return `  place=${shellWord(root.path.join(" "))} waiting= operands=0
  ${loop}; do
    word=${word}
    if [[ -n $waiting ]]; then
      waiting=
    elif [[ $word == -*=* ]]; then
      :
    elif [[ $word == -?* ]]; then
      ${name}_value "$place" "$word"
      [[ -n $kind ]] && waiting=$word
    elif ((operands == 0)) && ${name}_is_command "$place" "$word"; then
      place="$place $word"
    else
      operands=$((operands + 1))
    fi
  done`;
}
