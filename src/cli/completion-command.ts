/** @file The command `nextstep completion SHELL`. */
import { Argument, type Command } from "commander";
import type { Terminal } from "./terminal.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/**
 * Adds `completion`, which reads the commands of `program` when it is called.
 */
export function addCompletionCommand(program: Command, terminal: Terminal): void {
  program
    .command("completion")
    .description("print a script by which a shell completes commands, options and values")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText(
      "after",
      `
To have it in every shell:
  bash  in ~/.bashrc: eval "$(nextstep completion bash)"
  zsh   in ~/.zshrc, behind compinit: eval "$(nextstep completion zsh)"
  fish  in ~/.config/fish/config.fish: nextstep completion fish | source`,
    )
    .action(async (shell: (typeof SHELLS)[number]) => {
      const { completionScript } = await import("./completion/completion-script.ts");
      terminal.out.write(completionScript(program, shell));
    });
}
