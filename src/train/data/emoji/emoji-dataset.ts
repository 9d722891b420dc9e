/** @file The example data set: emoji pictures, scenes, edits and texts, as tars with their licences and credits. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AbortedError } from "../../../errors.ts";
import { OutputFolder } from "../output-folder.ts";
import { SampleWriter, type ShardTotals } from "../sample-writer.ts";
import { type AvatarPlan, planAvatars, writeAvatar } from "./avatars.ts";
import { DATA_DEFAULTS } from "./data-defaults.ts";
import { isUnseen } from "./emoji-held-out.ts";
import { loadEmojiNaming } from "./emoji-naming.ts";
import { type EmojiPlan, planEmojiData } from "./emoji-plan.ts";
import { EmojiRenderer } from "./emoji-render.ts";
import { creditsNotice, EmojiSampleMaker } from "./emoji-samples.ts";
import { loadEmojiSets } from "./emoji-sets.ts";
import { DATA_STYLES, type EmojiStyle } from "./emoji-styles.ts";
import { listSubjects, selectSubjects } from "./emoji-subjects.ts";

export interface EmojiDataOptions {
  /** Folder to make; must not exist or be empty. */
  readonly out: string;
  /** Decides scenes, edits and order. */
  readonly seed?: number;
  /** How many subjects, best known first; all when left out. */
  readonly subjects?: number;
  /** Share of composed scenes among the training pictures, 0 to below 1. */
  readonly sceneShare?: number;
  /** Edits for each training picture, 0 to below 1. */
  readonly editShare?: number;
  /** Which sets to draw from; must contain the default style. */
  readonly styles?: readonly EmojiStyle[];
  /** Portraits made of attributes, beside the emoji; none unless asked for. */
  readonly avatars?: number;
  /** Folder whose installed packages are looked at first. */
  readonly packagesFrom?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** The folders of a data set, each of tars: what is trained on, then what is not. */
export const DATA_FOLDERS = [
  "singles",
  "styles",
  "scenes",
  "groups",
  "shapes",
  "edits",
  "texts",
  "avatars",
  "heldout",
  "unseen",
  "avatars-heldout",
] as const;
export type DataFolder = (typeof DATA_FOLDERS)[number];

export interface EmojiDataResult {
  readonly folder: string;
  readonly seed: number;
  readonly subjects: number;
  readonly styles: Readonly<Record<string, number>>;
  readonly categories: Readonly<Record<string, number>>;
  readonly layouts: Readonly<Record<string, number>>;
  readonly backgrounds: Readonly<Record<string, number>>;
  readonly editKinds: Readonly<Record<string, number>>;
  readonly folders: Readonly<Partial<Record<DataFolder, ShardTotals>>>;
}

/** Samples in work at once: sharp encodes on its own threads, writing keeps the order. */
const BATCH = 8;

/** A sample to be written once it is drawn, or null for one that turned out to show nothing. */
type Job = () => Promise<Parameters<SampleWriter["add"]> | null>;

/**
 * Renders the emoji data to tars in the folders of {@link DATA_FOLDERS}, with `subjects.json` (the names that training
 * pictures show, and what is known of all subjects), `stats.json`, `CREDITS.json` and `NOTICE` beside them. The same options and package versions give the same bytes.
 * @throws ConfigError when a package is missing or an option is out of range; AbortedError when cancelled, and
 *   then nothing is left behind.
 */
export async function buildEmojiData(options: EmojiDataOptions): Promise<EmojiDataResult> {
  const { signal, onProgress, seed = DATA_DEFAULTS.seed } = options;
  const naming = await loadEmojiNaming(options.packagesFrom);
  const sets = await loadEmojiSets(naming, options.styles ?? DATA_STYLES, options.packagesFrom);
  const subjects = selectSubjects(listSubjects(naming, sets), options.subjects);
  const { sceneShare = DATA_DEFAULTS.sceneShare, editShare = DATA_DEFAULTS.editShare } = options;
  const plan = planEmojiData({ subjects, seed, sceneShare, editShare });
  const avatars = await planAvatars(options.avatars ?? DATA_DEFAULTS.avatars, seed, options.packagesFrom);

  await using folder = await OutputFolder.create(options.out);
  const ranks = new Map(subjects.map(({ id }, index) => [id, index + 1]));
  const jobs = jobsOf(plan, avatars, new EmojiSampleMaker(sets, new EmojiRenderer(), ranks));
  const total = [...jobs.values()].reduce((sum, list) => sum + list.length, 0);
  let done = 0;
  const folders: Partial<Record<DataFolder, ShardTotals>> = {};
  for (const [name, list] of jobs) {
    if (list.length === 0) continue;
    await using writer = new SampleWriter(join(folder.workPath, name));
    for (let start = 0; start < list.length; start += BATCH) {
      if (signal?.aborted) throw new AbortedError("the data set was not finished", { where: options.out });
      const batch = list.slice(start, start + BATCH);
      for (const sample of await Promise.all(batch.map((job) => job()))) {
        if (sample !== null) await writer.add(...sample);
      }
      done += batch.length;
      onProgress?.({ done, total });
    }
    folders[name] = await writer.close();
  }

  const all = [plan.singles, plan.styles, plan.scenes, plan.groups, plan.shapes, plan.heldOut].flat();
  const result: EmojiDataResult = {
    folder: folder.path,
    seed,
    subjects: subjects.length,
    styles: countBy(all, (scene) => scene.style),
    categories: countBy(all, (scene) => scene.first.category),
    layouts: countBy(all, (scene) => scene.layout),
    backgrounds: countBy(all, (scene) => scene.background),
    editKinds: countBy(plan.edits, (edit) => edit.kind),
    folders,
  };
  const { folder: _place, ...stats } = result;
  const credits = [...sets.map(({ style, credit }) => ({ style, ...credit })), ...avatars.credits];
  const details = subjects.map(({ icons, ...words }) => ({ ...words, styles: [...icons.keys()] }));
  const shown = subjects.filter(({ id }) => !isUnseen(id)).map(({ name }) => name);
  const texts: Readonly<Record<string, string>> = {
    "subjects.json": toJson({ subjects: shown, details }),
    "stats.json": toJson(stats),
    "CREDITS.json": toJson(credits),
    NOTICE: creditsNotice(credits),
  };
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder.workPath, name), text);
  if (signal?.aborted) throw new AbortedError("the data set was not finished", { where: options.out });
  await folder.commit();
  return result;
}

function jobsOf(plan: EmojiPlan, avatars: AvatarPlan, maker: EmojiSampleMaker): Map<DataFolder, Job[]> {
  return new Map<DataFolder, Job[]>([
    ["singles", plan.singles.map((scene) => () => maker.picture(scene))],
    ["styles", plan.styles.map((scene) => () => maker.picture(scene))],
    ["scenes", plan.scenes.map((scene) => () => maker.picture(scene))],
    ["groups", plan.groups.map((scene) => () => maker.picture(scene))],
    ["shapes", plan.shapes.map((scene) => () => maker.picture(scene))],
    ["edits", plan.edits.map((edit) => () => maker.edit(edit))],
    ["texts", plan.texts.map((text) => () => Promise.resolve(maker.text(text)))],
    ["avatars", avatars.train.map((avatar) => () => writeAvatar(avatar))],
    ["heldout", plan.heldOut.map((scene) => () => maker.picture(scene))],
    ["unseen", plan.unseen.map((scene) => () => maker.picture(scene))],
    ["avatars-heldout", avatars.heldOut.map((avatar) => () => writeAvatar(avatar))],
  ]);
}

function countBy<Item>(items: readonly Item[], key: (item: Item) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[key(item)] = (counts[key(item)] ?? 0) + 1;
  return counts;
}

const toJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
