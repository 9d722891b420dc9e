/** @file `nextstep data emoji|build|stats`. */
import { ConfigError } from "../errors.ts";
import { dataStats, formatDataStats } from "../train/data/data-stats.ts";
import { buildEmojiData } from "../train/data/emoji/emoji-dataset.ts";
import { EMOJI_STYLES, type EmojiStyle } from "../train/data/emoji/emoji-styles.ts";
import { buildFolderData } from "../train/data/folder-dataset.ts";
import { ProgressLine } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";

/** Most pictures named one by one when a folder holds many that cannot be used. */
const MAX_NAMED = 20;

function parseCount(text: string | true | undefined, where: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text === true || text.trim() === "" || !Number.isFinite(value)) {
    throw new ConfigError(`"${text}" is no number`, { where });
  }
  return value;
}

function parseStyles(text: string | true | undefined): EmojiStyle[] | undefined {
  if (typeof text !== "string") return undefined;
  return text.split(",").map((name) => {
    const style = EMOJI_STYLES.find((known) => known === name.trim());
    if (style === undefined) {
      throw new ConfigError(`"${name}" is no style`, {
        where: "--styles",
        remedy: `use ${EMOJI_STYLES.join(", ")}`,
      });
    }
    return style;
  });
}

/** Renders the emoji data set to a folder. */
export async function runEmoji(
  out: string,
  options: Readonly<Record<string, string | true>>,
  terminal: Terminal,
): Promise<void> {
  const line = new ProgressLine(terminal.err);
  const subjects = parseCount(options.subjects, "--subjects");
  const sceneShare = parseCount(options.scenes, "--scenes");
  const editShare = parseCount(options.edits, "--edits");
  const avatars = parseCount(options.avatars, "--avatars");
  const seed = parseCount(options.seed, "--seed");
  const styles = parseStyles(options.styles);
  const result = await buildEmojiData({
    out,
    ...(subjects === undefined ? {} : { subjects }),
    ...(sceneShare === undefined ? {} : { sceneShare }),
    ...(editShare === undefined ? {} : { editShare }),
    ...(avatars === undefined ? {} : { avatars }),
    ...(seed === undefined ? {} : { seed }),
    ...(styles === undefined ? {} : { styles }),
    signal: terminal.signal,
    onProgress: ({ done, total }) => line.update("rendering", done, total),
  });
  line.clear();
  const counts = Object.entries(result.folders).map(([name, { samples }]) => `${samples} ${name}`);
  const text = `${result.subjects} subjects, ${counts.join(", ")} in ${out}`;
  terminal.out.write(options.json === true ? `${JSON.stringify(result)}\n` : `${text}\n`);
}

/** Packs a folder of pictures; names those that could not be used. */
export async function runBuild(
  folder: string,
  out: string,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  const line = new ProgressLine(terminal.err);
  const result = await buildFolderData({
    folder,
    out,
    signal: terminal.signal,
    onProgress: ({ done, total }) => line.update("packing", done, total),
  });
  line.clear();
  if (json) {
    terminal.out.write(`${JSON.stringify(result)}\n`);
    return;
  }
  for (const { name, reason } of result.skipped.slice(0, MAX_NAMED))
    terminal.err.write(`left out ${name}: ${reason}\n`);
  if (result.skipped.length > MAX_NAMED)
    terminal.err.write(`and ${result.skipped.length - MAX_NAMED} more (--json names all)\n`);
  terminal.out.write(`${result.samples} samples in ${out}, ${result.skipped.length} pictures left out\n`);
}

/** Counts what tars hold. */
export async function runStats(path: string, json: boolean, terminal: Terminal): Promise<void> {
  const line = new ProgressLine(terminal.err);
  const stats = await dataStats(path, {
    signal: terminal.signal,
    onProgress: ({ done, total }) => line.update("counting", done, total),
  });
  line.clear();
  terminal.out.write(json ? `${JSON.stringify(stats, null, 2)}\n` : `${formatDataStats(stats)}\n`);
}
