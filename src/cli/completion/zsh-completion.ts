/** @file Completion for zsh: to be evaluated behind `compinit`, or as a file `_nextstep` of the function path. */

import { shellWord } from "../shell-word.ts";
import { type CompletedCommand, everyCommand } from "./completion-tree.ts";
import { shellTables, shellWalk } from "./shell-walk.ts";

/** An entry of `_describe`, which parts name and description at a colon. */
function described(name: string, description: string): string {
  return shellWord(`${name.replaceAll(":", "\\:")}:${description}`);
}

export function zshCompletion(root: CompletedCommand): string {
  const [program = ""] = root.path;
  const name = `_${program}`;
  const lists = [...everyCommand(root)].map(({ path, commands, options }) => {
    const below = commands.map((command) => described(command.path.at(-1) ?? "", command.description));
    const flags = options.flatMap(({ names, description }) =>
      names.map((option) => described(option, description)),
    );
    return `    ${shellWord(path.join(" "))})
      commands=(${below.join(" ")})
      options=(${flags.join(" ")}) ;;`;
  });
  return `#compdef ${program}
# Completion of ${program} for zsh. In ~/.zshrc, behind compinit: eval "$(${program} completion zsh)"
${shellTables(root, name)}

${name}() {
  local place waiting word kind choices operands i
  local -a commands options
${shellWalk(name, root, "for ((i = 2; i < CURRENT; i++))", `\${words[i]}`)}
  word=\${words[CURRENT]}
  if [[ -z $waiting && $word == --*=* ]]; then
    waiting=\${word%%=*}
    compset -P '*='
  fi
  case $place in
${lists.join("\n")}
  esac
  if [[ -n $waiting ]]; then
    ${name}_value "$place" "$waiting"
  elif [[ $word == -* ]]; then
    _describe -o option options
    return
  else
    ((operands == 0)) && (( \${#commands} > 0 )) && _describe command commands
    ${name}_operand "$place"
  fi
  case $kind in
    words) compadd -- \${(f)choices} ;;
    files) _files ;;
    folders) _files -/ ;;
  esac
}

if [[ \${funcstack[1]-} == ${name} ]]; then
  ${name} "$@"
else
  compdef ${name} ${program}
fi
`;
}
