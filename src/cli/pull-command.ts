/** @file The command `nextstep pull`. Its work is loaded only when it is called. */
import { type Command, Option } from "commander";
import type { PullPurpose } from "../hub/wanted-files.ts";
import type { PullCommandOptions } from "./pull.ts";
import type { Terminal } from "./terminal.ts";

const PURPOSES: readonly PullPurpose[] = ["draw", "edit", "all"];

/** Adds `pull`. */
export function addPullCommand(program: Command, terminal: Terminal): void {
  program
    .command("pull")
    .description("fetch a model from the hub into its cache; called again, it goes on where it stopped")
    .argument("<repository>", "ORG/NAME or ORG/NAME@REVISION, e.g. stepfun-ai/NextStep-1.1")
    .addOption(
      new Option("--only <what>", "what drawing or editing needs, or all but code and pickles")
        .choices([...PURPOSES])
        .default("draw"),
    )
    .option("--json", "print JSON lines: plan, progress, result")
    .addHelpText(
      "after",
      `
Environment, as for the hub's other clients:
  HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME    where the cache is
  HF_TOKEN, HF_TOKEN_PATH                  access token, for what is not public
  HF_ENDPOINT                              a mirror
  HTTP_PROXY, HTTPS_PROXY, NO_PROXY        a proxy
  HF_HUB_DOWNLOAD_TIMEOUT                  seconds of silence that end a try (10)
  HF_HUB_OFFLINE                           1 refuses to fetch`,
    )
    .action(async (repository: string, options: PullCommandOptions) => {
      const { runPull } = await import("./pull.ts");
      await runPull(repository, options, terminal);
    });
}
