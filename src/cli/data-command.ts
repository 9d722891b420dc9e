/** @file The commands `nextstep data emoji|build|stats|check`. */
import { type Command, Option } from "commander";
import { DATA_DEFAULTS } from "../train/data/emoji/data-defaults.ts";
import { DATA_STYLES, DEFAULT_STYLE, EMOJI_STYLES } from "../train/data/emoji/emoji-styles.ts";
import { DEFAULT_FOLDER_DATA_TYPE, FOLDER_DATA_TYPES } from "../train/data/folder-data-types.ts";
import type { BuildOptions, EmojiOptions, JsonOption } from "./data.ts";
import { integerBetween, shareBelowOne, someOf, withDefault } from "./option-values.ts";
import type { Terminal } from "./terminal.ts";

const MAX_WHOLE = Number.MAX_SAFE_INTEGER;

/** Adds `data` and what it does. The work is loaded only when one of them is called. */
export function addDataCommands(program: Command, terminal: Terminal): void {
  const data = program.command("data").description("make and look at training data");
  const { sceneShare, editShare, avatars, seed } = DATA_DEFAULTS;
  data
    .command("emoji")
    .description("render emoji from npm packages, with captions, licences and credits")
    .argument("<out>", "folder to make")
    .option(
      "--subjects <count>",
      withDefault("only the best known subjects", "all"),
      integerBetween(1, MAX_WHOLE),
    )
    .option(
      "--styles <names>",
      withDefault(
        `some of ${EMOJI_STYLES.join(", ")}; ${DEFAULT_STYLE} must be among them`,
        DATA_STYLES.join(","),
      ),
      someOf(EMOJI_STYLES),
    )
    .option(
      "--scenes <share>",
      withDefault("share of composed scenes, 0 to below 1", sceneShare),
      shareBelowOne({ zero: true }),
    )
    .option(
      "--edits <share>",
      withDefault("edits for each training picture, 0 to below 1", editShare),
      shareBelowOne({ zero: true }),
    )
    .option(
      "--avatars <count>",
      withDefault("portraits made of attributes, beside the emoji", avatars),
      integerBetween(0, MAX_WHOLE),
    )
    .option("--seed <n>", withDefault("decides scenes, edits and order", seed), integerBetween(0, MAX_WHOLE))
    .option("--json", "print JSON")
    .action(async (out: string, options: EmojiOptions) => {
      const { runEmoji } = await import("./data.ts");
      await runEmoji(out, options, terminal);
    });
  data
    .command("build")
    .description("pack a folder of pictures with captions, of edits or of texts")
    .argument("<folder>", "files in one of the layouts that docs/data.md shows")
    .argument("<out>", "folder to make")
    .addOption(
      new Option("--type <type>", withDefault("what to build", DEFAULT_FOLDER_DATA_TYPE)).choices(
        FOLDER_DATA_TYPES,
      ),
    )
    .option(
      "--held-out <share>",
      withDefault("share to hold out in OUT/heldout, above 0 and below 1", "none"),
      shareBelowOne({ zero: false }),
    )
    .option("--json", "print JSON")
    .action(async (folder: string, out: string, options: BuildOptions) => {
      const { runBuild } = await import("./data.ts");
      await runBuild(folder, out, options, terminal);
    });
  data
    .command("stats")
    .description("count samples, sizes, captions and licences")
    .argument("<path>", "tar, or folder of tars")
    .option("--json", "print JSON")
    .action(async (path: string, options: JsonOption) => {
      const { runStats } = await import("./data.ts");
      await runStats(path, options.json === true, terminal);
    });
  data
    .command("check")
    .description("decode everything and list what is wrong; exit 1 if anything is")
    .argument("<path>", "tar, or folder of tars")
    .option("--json", "print JSON lines: each fault, then the result")
    .action(async (path: string, options: JsonOption) => {
      const { runCheck } = await import("./data.ts");
      await runCheck(path, options.json === true, terminal);
    });
}
