/** @file The example data set: emoji pictures and scenes with captions, as tars with their licences and credits. */

import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AbortedError } from "../../../errors.ts";
import { OutputFolder } from "../output-folder.ts";
import { type SampleJson, SampleWriter, type ShardTotals } from "../sample-writer.ts";
import { heldOutStyle, planEmojiData, sceneIdentity } from "./emoji-plan.ts";
import { EmojiRenderer } from "./emoji-render.ts";
import { captionScene, drawScene, type Scene } from "./emoji-scenes.ts";
import { EMOJI_STYLES, type EmojiCredit, type EmojiStyle, loadEmojiSets } from "./emoji-sets.ts";
import { type EmojiSubject, listSubjects, selectSubjects } from "./emoji-subjects.ts";

export interface EmojiDataOptions {
  /** Folder to make; must not exist or be empty. */
  readonly out: string;
  /** Decides held-out pairs, scenes and order. */
  readonly seed?: number;
  /** How many subjects, best known first; all when left out. */
  readonly subjects?: number;
  /** Share of composed scenes among the training pictures, 0 to below 1. */
  readonly sceneShare?: number;
  /** Which sets to draw from; must contain the default style. */
  readonly styles?: readonly EmojiStyle[];
  /** Folder whose installed packages are looked at first. */
  readonly packagesFrom?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface EmojiDataResult {
  readonly folder: string;
  readonly seed: number;
  readonly subjects: number;
  readonly styles: Readonly<Partial<Record<EmojiStyle, number>>>;
  readonly categories: Readonly<Record<string, number>>;
  readonly layouts: Readonly<Record<string, number>>;
  readonly backgrounds: Readonly<Record<string, number>>;
  readonly train: ShardTotals;
  readonly heldOut: ShardTotals;
}

/** A quarter of the pictures are scenes unless asked otherwise. */
const DEFAULT_SCENE_SHARE = 0.25;

/** Pictures in work at once: sharp encodes on its own threads, writing keeps the order. */
const BATCH = 8;

/**
 * Renders the emoji data to `out/train/*.tar` and `out/heldout/*.tar`, with `subjects.json`, `stats.json`,
 * `CREDITS.json` and `NOTICE` beside them. The same options and package versions give the same bytes.
 * @throws ConfigError when a package is missing or an option is out of range; AbortedError when cancelled, and
 *   then nothing is left behind.
 */
export async function buildEmojiData(options: EmojiDataOptions): Promise<EmojiDataResult> {
  const { signal, onProgress, seed = 0, sceneShare = DEFAULT_SCENE_SHARE } = options;
  const sets = await loadEmojiSets(options.styles ?? EMOJI_STYLES, options.packagesFrom);
  const credits = new Map(sets.map((set) => [set.style, set.credit]));
  const subjects = selectSubjects(listSubjects(sets), options.subjects);
  const plan = planEmojiData({ subjects, seed, sceneShare });

  await using folder = await OutputFolder.create(options.out);
  const renderer = new EmojiRenderer();
  const total = plan.train.length + plan.heldOut.length;
  let done = 0;
  const writeSplit = async (name: string, scenes: readonly Scene[]): Promise<ShardTotals> => {
    await using writer = new SampleWriter(join(folder.workPath, name));
    for (let start = 0; start < scenes.length; start += BATCH) {
      if (signal?.aborted) throw new AbortedError("the data set was not finished", { where: options.out });
      const batch = scenes.slice(start, start + BATCH);
      const pictures = await Promise.all(batch.map((scene) => drawScene(scene, renderer)));
      for (const [index, scene] of batch.entries()) {
        const json = describeScene(scene, credits.get(scene.style)!);
        await writer.add(sceneKey(scene), json, [{ bytes: pictures[index]!, extension: "png" }]);
      }
      done += batch.length;
      onProgress?.({ done, total });
    }
    return writer.close();
  };
  const train = await writeSplit("train", plan.train);
  const heldOut = await writeSplit("heldout", plan.heldOut);

  const all = [...plan.train, ...plan.heldOut];
  const result: EmojiDataResult = {
    folder: folder.path,
    seed,
    subjects: subjects.length,
    styles: countBy(all, (scene) => scene.style),
    categories: countBy(all, (scene) => scene.first.category),
    layouts: countBy(all, (scene) => scene.layout),
    backgrounds: countBy(all, (scene) => scene.background),
    train,
    heldOut,
  };
  const { folder: _place, ...stats } = result;
  const texts: Readonly<Record<string, string>> = {
    "subjects.json": toJson(subjects.map((subject) => describeSubject(subject, seed))),
    "stats.json": toJson(stats),
    "CREDITS.json": toJson([...credits.values()]),
    NOTICE: notice([...credits.values()]),
  };
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder.workPath, name), text);
  if (signal?.aborted) throw new AbortedError("the data set was not finished", { where: options.out });
  await folder.commit();
  return result;
}

function describeScene(scene: Scene, credit: EmojiCredit): SampleJson {
  const captions = captionScene(scene);
  const best = captions.reduce((a, b) => (b.weight > a.weight ? b : a));
  return {
    caption: best.text,
    caption_all: captions.map((caption) => caption.text),
    metadata: {
      caption_weights: captions.map((caption) => caption.weight),
      subject: scene.first.id,
      ...(scene.second === undefined ? {} : { second_subject: scene.second.id }),
      style: scene.style,
      category: scene.first.category,
      layout: scene.layout,
      background: scene.background,
      licence: credit.licence,
      credit: `${credit.set} by ${credit.author}`,
      source: `${credit.package}@${credit.version}`,
    },
  };
}

function describeSubject(subject: EmojiSubject, seed: number): Readonly<Record<string, unknown>> {
  const { id, name, withArticle, plural, synonym, category } = subject;
  return {
    id,
    name,
    with_article: withArticle,
    plural,
    synonym,
    category,
    styles: [...subject.icons.keys()],
    held_out_style: heldOutStyle(subject, seed),
  };
}

/** Hex, since "." and "-" separate the parts of a member's name; the same picture has the same key everywhere. */
function sceneKey(scene: Scene): string {
  return createHash("sha256").update(sceneIdentity(scene)).digest("hex").slice(0, 32);
}

function countBy<K extends string>(
  scenes: readonly Scene[],
  key: (scene: Scene) => K,
): Partial<Record<K, number>>;
function countBy(scenes: readonly Scene[], key: (scene: Scene) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const scene of scenes) counts[key(scene)] = (counts[key(scene)] ?? 0) + 1;
  return counts;
}

const toJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

function notice(credits: readonly EmojiCredit[]): string {
  const lines = credits.map(
    (credit) =>
      `${credit.set} by ${credit.author} (${credit.authorUrl})\n` +
      `  licence: ${credit.licenceTitle} (${credit.licence}), ${credit.licenceUrl}\n` +
      `  read from the npm package ${credit.package} ${credit.version}; style word "${credit.style}"\n`,
  );
  return (
    "The pictures in this data set are drawn from the emoji sets below. They were rendered to pixels, laid on\n" +
    `coloured backgrounds and arranged several to a picture.\n\n${lines.join("\n")}`
  );
}
