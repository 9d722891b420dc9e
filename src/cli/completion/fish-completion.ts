/** @file Completion for fish 3.0 and newer. */
import { type CompletedCommand, everyCommand, type Values } from "./completion-tree.ts";

function fishWord(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** Holds where the words of `path` are given and no command below it is. */
function condition({ path, commands }: CompletedCommand): string {
  const given = path.slice(1).map((word) => `__fish_seen_subcommand_from ${word}`);
  const below = commands.map((command) => command.path.at(-1)).join(" ");
  const all = [...given, ...(below === "" ? [] : [`not __fish_seen_subcommand_from ${below}`])];
  return `-n ${fishWord(all.length === 0 ? "true" : all.join("; and "))}`;
}

function valueFlags(values: Values | undefined): string {
  switch (values?.kind) {
    case undefined:
      return "";
    case "words":
      return ` -x -a ${fishWord(values.words.join(" "))}`;
    case "files":
      return " -r -F";
    case "folders":
      return " -x -a '(__fish_complete_directories)'";
    case "text":
      return " -x";
  }
}

function linesOf(command: CompletedCommand, program: string): string[] {
  const start = `complete -c ${program} ${condition(command)}`;
  const commands = command.commands.map(
    ({ path, description }) => `${start} -a ${fishWord(path.at(-1) ?? "")} -d ${fishWord(description)}`,
  );
  const options = command.options.map(({ names, description, value }) => {
    const flags = names.map((name) =>
      name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
    );
    return `${start} ${flags.join(" ")} -d ${fishWord(description)}${valueFlags(value)}`;
  });
  const { operand } = command;
  const operands = operand.kind === "text" ? [] : [start + valueFlags(operand).replace(/^ -[rx] /, " ")];
  return [...commands, ...options, ...operands];
}

export function fishCompletion(root: CompletedCommand): string {
  const [program = ""] = root.path;
  const lines = [...everyCommand(root)].flatMap((command) => linesOf(command, program));
  return `# Completion of ${program} for fish. In ~/.config/fish/config.fish: ${program} completion fish | source
complete -c ${program} -f
${lines.join("\n")}
`;
}
