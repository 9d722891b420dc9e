/** @file `nextstep data emoji|build|stats|check`. */
import { DataFormatError } from "../errors.ts";
import { checkData } from "../train/data/data-check.ts";
import { dataStats, formatDataStats } from "../train/data/data-stats.ts";
import { buildEmojiData } from "../train/data/emoji/emoji-dataset.ts";
import type { EmojiStyle } from "../train/data/emoji/emoji-styles.ts";
import type { FolderDataType } from "../train/data/folder-data-types.ts";
import { buildFolderData } from "../train/data/folder-dataset.ts";
import { progressLine } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";

/** Most files named one by one when a folder holds much that cannot be used. */
const MAX_NAMED = 20;

export interface JsonOption {
  readonly json?: true;
}

export interface EmojiOptions extends JsonOption {
  readonly subjects?: number;
  readonly styles?: readonly EmojiStyle[];
  readonly scenes?: number;
  readonly edits?: number;
  readonly avatars?: number;
  readonly seed?: number;
}

export interface BuildOptions extends JsonOption {
  readonly type?: FolderDataType;
  readonly heldOut?: number;
}

/** Renders the emoji data set to a folder. */
export async function runEmoji(out: string, options: EmojiOptions, terminal: Terminal): Promise<void> {
  const line = progressLine(terminal);
  const { subjects, styles, scenes, edits, avatars, seed } = options;
  const result = await buildEmojiData({
    out,
    ...(subjects === undefined ? {} : { subjects }),
    ...(styles === undefined ? {} : { styles }),
    ...(scenes === undefined ? {} : { sceneShare: scenes }),
    ...(edits === undefined ? {} : { editShare: edits }),
    ...(avatars === undefined ? {} : { avatars }),
    ...(seed === undefined ? {} : { seed }),
    signal: terminal.signal,
    onProgress: ({ done, total }) => line.update("rendering", done, total),
  });
  line.clear();
  const counts = Object.entries(result.folders).map(([name, { samples }]) => `${samples} ${name}`);
  const text = `${result.subjects} subjects, ${counts.join(", ")} in ${out}`;
  terminal.out.write(options.json === true ? `${JSON.stringify(result)}\n` : `${text}\n`);
}

/** Packs a folder; names what was passed over. */
export async function runBuild(
  folder: string,
  out: string,
  options: BuildOptions,
  terminal: Terminal,
): Promise<void> {
  const line = progressLine(terminal);
  const { type, heldOut } = options;
  let stage: string | undefined;
  const result = await buildFolderData({
    folder,
    out,
    ...(type === undefined ? {} : { type }),
    ...(heldOut === undefined ? {} : { heldOut }),
    signal: terminal.signal,
    onProgress: (progress) => {
      if (stage !== progress.stage) line.clear();
      stage = progress.stage;
      line.update(progress.stage, progress.done, progress.total);
    },
  });
  line.clear();
  if (options.json === true) {
    terminal.out.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const { passedOver, reasons } = result;
  for (const { name, reason, detail } of passedOver.slice(0, MAX_NAMED)) {
    terminal.err.write(
      `${plain(`passed over ${name}: ${reason}${detail === undefined ? "" : ` (${detail})`}`)}\n`,
    );
  }
  if (passedOver.length > MAX_NAMED)
    terminal.err.write(`and ${passedOver.length - MAX_NAMED} more (--json names all)\n`);
  const split = result.heldOut === null ? "" : `, ${result.heldOut.samples} held out`;
  terminal.out.write(`${counted(result.samples, "sample")}${split} in ${plain(result.folder)}\n`);
  const counts = Object.entries(reasons).map(([reason, count]) => `${count} ${reason}`);
  if (counts.length > 0) terminal.out.write(`passed over: ${counts.join(", ")}\n`);
}

/** Counts what tars hold. */
export async function runStats(path: string, json: boolean, terminal: Terminal): Promise<void> {
  const line = progressLine(terminal);
  const stats = await dataStats(path, {
    signal: terminal.signal,
    onProgress: ({ done, total }) => line.update("counting", done, total),
  });
  line.clear();
  terminal.out.write(json ? `${JSON.stringify(stats, null, 2)}\n` : `${formatDataStats(stats)}\n`);
}

/**
 * Decodes everything that tars hold and lists what is wrong; as JSON, a line for each fault and one for the result.
 * @throws DataFormatError behind the list when there is anything.
 */
export async function runCheck(path: string, json: boolean, terminal: Terminal): Promise<void> {
  const line = progressLine(terminal);
  let stage: string | undefined;
  const result = await checkData(path, {
    signal: terminal.signal,
    onProgress: (progress) => {
      if (stage !== progress.stage) line.clear();
      stage = progress.stage;
      line.update(progress.stage, progress.done, progress.total);
    },
    onFault: (fault) => {
      line.hide();
      const text = [fault.tar, fault.key, fault.reason].filter((part) => part !== null).join(": ");
      terminal.out.write(`${json ? JSON.stringify({ type: "fault", ...fault }) : plain(text)}\n`);
    },
  });
  line.clear();
  const { tars, samples, pictures, faults, passedOver } = result;
  if (json) terminal.out.write(`${JSON.stringify({ type: "result", ...result })}\n`);
  else {
    const others = Object.entries(passedOver).map(([extension, count]) => `${count} .${extension}`);
    if (others.length > 0)
      terminal.out.write(`${plain(`members that are not used: ${others.join(", ")}`)}\n`);
    const held = `${counted(samples, "sample")} with ${counted(pictures, "picture")} in ${counted(tars, "tar")}`;
    terminal.out.write(`${held}, ${counted(faults, "fault")}\n`);
  }
  if (faults > 0) {
    throw new DataFormatError(`${counted(faults, "fault")} in ${counted(samples, "sample")}`, {
      where: path,
      remedy: "mend what is listed, or write the data set again without it",
    });
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Names out of files, without the characters that a terminal would obey. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}
