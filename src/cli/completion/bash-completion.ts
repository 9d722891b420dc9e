/** @file Completion for bash 3.2 and newer, without the bash-completion package. */

import { shellWord } from "../shell-word.ts";
import { type CompletedCommand, everyCommand } from "./completion-tree.ts";
import { shellTables, shellWalk } from "./shell-walk.ts";

export function bashCompletion(root: CompletedCommand): string {
  const [program = ""] = root.path;
  const name = `_${program}`;
  const lists = [...everyCommand(root)].map(({ path, commands, options }) => {
    const names = commands.map((below) => below.path.at(-1) ?? "");
    return `    ${shellWord(path.join(" "))})
      commands=${shellWord(names.join("\n"))}
      options=${shellWord(options.flatMap((option) => option.names).join("\n"))} ;;`;
  });
  return `# Completion of ${program} for bash. In ~/.bashrc: eval "$(${program} completion bash)"
${shellTables(root, name)}

# Adds what begins with the word being typed; compgen's arguments follow.
${name}_add() {
  local reply
  while IFS= read -r reply; do COMPREPLY+=("$reply"); done < <(IFS=$'\\n' compgen "$@" -- "$current")
}

${name}() {
  local line=\${COMP_LINE:0:COMP_POINT} current place waiting operands word kind choices commands options i
  local -a words
  COMPREPLY=()
  # Of the line itself: bash's own words are cut at colons and equals signs.
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=\${words[\${#words[@]} - 1]}
${shellWalk(name, root, `for ((i = 1; i < \${#words[@]} - 1; i++))`, `\${words[i]}`)}
  if [[ -z $waiting && $current == --*=* ]]; then
    waiting=\${current%%=*} current=\${current#*=}
  fi
  case $place in
${lists.join("\n")}
  esac
  if [[ -n $waiting ]]; then
    ${name}_value "$place" "$waiting"
  elif [[ $current == -* ]]; then
    kind=words choices=$options
  else
    ((operands == 0)) && ${name}_add -W "$commands"
    ${name}_operand "$place"
  fi
  case $kind in
    words) ${name}_add -W "$choices" ;;
    files) compopt -o filenames 2> /dev/null; ${name}_add -f ;;
    folders) compopt -o filenames 2> /dev/null; ${name}_add -d ;;
  esac
  # What stands before a colon is a word of its own to bash and stays as it is.
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    word=\${current%"\${current##*:}"}
    COMPREPLY=("\${COMPREPLY[@]#"$word"}")
  fi
}

complete -F ${name} ${program}
`;
}
