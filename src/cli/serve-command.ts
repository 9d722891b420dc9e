/** @file The commands `nextstep serve` and `nextstep studio`. Their work is loaded only when one of them is called. */
import { type Command, Option } from "commander";
import { LOG_FORMATS } from "../serve/http/server-log.ts";
import { namedAdapter } from "./adapter-options.ts";
import { addModelOptions } from "./model-options.ts";
import { collect, integerBetween, numberBetween, withDefault } from "./option-values.ts";
import {
  DEFAULT_DRAIN_SECONDS,
  DEFAULT_HOST,
  DEFAULT_MAX_BATCH,
  DEFAULT_MAX_QUEUED,
  DEFAULT_PORT,
  type ServeCommandOptions,
} from "./serve-options.ts";
import type { Terminal } from "./terminal.ts";

const NOTES = `
Keys that requests must come with are read from --api-key-file and from NEXTSTEP_API_KEYS: NAME:KEY, one a line or
between commas. With DATABASE_URL, the queue is in that PostgreSQL and shared with every server that has it.
All routes, with an example of each: docs/serve.md in the package, and /openapi.json of a running server.`;

/** Adds `serve` and `studio`, which differ in whether a browser is opened. */
export function addServeCommands(program: Command, terminal: Terminal): void {
  const serve = program
    .command("serve")
    .description(
      "answer requests for pictures over HTTP: OpenAI's routes, jobs, a gallery and a page to draw in",
    );
  const studio = program.command("studio").description("serve, and open the page to draw in");
  for (const [command, opensPage] of [
    [serve, false],
    [studio, true],
  ] as const) {
    addServeOptions(command).action(async (options: ServeCommandOptions) => {
      const { runServe } = await import("./serve.ts");
      await runServe(options, { opensPage }, terminal);
      // Asked to end, it has ended in order: that is no failure, whatever the signal's own code.
      process.exitCode = 0;
    });
  }
}

function addServeOptions(command: Command): Command {
  command
    .option("--host <address>", "address to listen on; 0.0.0.0 for all", DEFAULT_HOST)
    .option("--port <n>", "port to listen on; 0 for any", integerBetween(0, 65_535), DEFAULT_PORT)
    .option(
      "--store <folder>",
      withDefault(
        "where queue and pictures are kept; or s3://BUCKET/PREFIX",
        "a folder of your own, see docs/serve.md",
      ),
    )
    .option("--max-batch <n>", "pictures drawn at once", integerBetween(1, 256), DEFAULT_MAX_BATCH)
    .option("--max-queued <n>", "jobs that may wait", integerBetween(1, 100_000), DEFAULT_MAX_QUEUED)
    .option(
      "--max-tokens-per-image <n>",
      withDefault("most tokens of a picture; larger ones are resampled", "as trained"),
      integerBetween(1, 1 << 20),
    )
    .option("--strict-sizes", "refuse sizes that would be resampled")
    .option("--no-aliases", "answer to the model's own name alone, not to gpt-image-1, dall-e-3 and the like")
    .option(
      "--adapter <name=folder>",
      "adapter in PEFT's layout that requests may ask for by its name; repeat for several",
      namedAdapter,
    )
    .option("--public-url <url>", "where clients reach the server, if not at the address it listens on")
    .option("--cors <origin>", "site whose pages may use the server; repeat for several, * for all", collect)
    .option("--api-key-file <file>", "file of the keys that requests must come with")
    .option(
      "--keep-days <n>",
      withDefault("days for which pictures are kept", "for ever"),
      numberBetween(0, 36_500),
    )
    .option("--keep-gb <n>", withDefault("gigabytes of pictures that are kept", "all"), numberBetween(0, 1e6))
    .option(
      "--drain-seconds <n>",
      "when asked to end, time to finish what is being drawn; the rest goes on later",
      integerBetween(0, 86_400),
      DEFAULT_DRAIN_SECONDS,
    )
    .addOption(new Option("--log <format>", "form of the log").choices(LOG_FORMATS).default("json"));
  return addModelOptions(command).addHelpText("after", NOTES);
}
