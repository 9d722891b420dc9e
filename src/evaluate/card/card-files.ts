/** @file The files that say of a published model what is known of it. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { z } from "zod";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { DataFormatError, InputError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { replaceText } from "../../files/replacement-file.ts";
import type { Evaluation } from "../emoji/evaluation.ts";
import { curvePicture } from "./curve-picture.ts";
import {
  creditsSchema,
  curvePanels,
  fillCard,
  stagesSchema,
  type TrainedStage,
  trainedStagesSchema,
} from "./model-card.ts";
import { summarizeLog, type TrainingSummary } from "./training-summary.ts";

export interface CardSources {
  /** Of the card: text with places. */
  readonly template: string;
  /** JSON list of the stages. */
  readonly stages: string;
  /** Folder that the stages' logs are named from. */
  readonly runs: string;
  /** The data set, for its credits. */
  readonly data: string;
}

/**
 * Writes `README.md`, `training.json`, `curves.svg` and `evaluation.json` to the folder of a published model.
 * @throws ConfigError when a place of the card stays open; InputError or DataFormatError for sources that do not fit.
 */
export async function writeCard(target: string, evaluation: Evaluation, sources: CardSources): Promise<void> {
  const listed = await readAs(stagesSchema, sources.stages);
  const stages: TrainedStage[] = [];
  for (const { log, ...stage } of listed) {
    const summary =
      log === null
        ? await keptSummary(join(target, "training.json"), stage.name)
        : await summarizeLog(join(sources.runs, log));
    stages.push({ ...stage, summary });
  }
  const credits = await readAs(creditsSchema, join(sources.data, "CREDITS.json"));
  await using folder = await openModelFolder(new LocalFolder(target));
  const card = fillCard(await readFile(sources.template, "utf8"), {
    config: folder.config,
    bytes: {
      transformer: await weightBytes(target),
      autoencoder: await weightBytes(join(target, "vae")),
    },
    evaluation,
    stages,
    credits,
  });
  await replaceText(join(target, "curves.svg"), curvePicture(curvePanels(stages)));
  await writeJson(join(target, "training.json"), stages);
  await writeJson(join(target, "evaluation.json"), evaluation);
  await replaceText(join(target, "README.md"), card);
}

/** What was written of a stage when its log was at hand. */
async function keptSummary(path: string, name: string): Promise<TrainingSummary> {
  const kept = (await readAs(trainedStagesSchema, path)).find((stage) => stage.name === name);
  if (kept === undefined)
    throw new InputError(`has no stage "${name}", whose log is not named`, { where: path });
  return kept.summary;
}

/** Of all weight files that lie in a folder itself. */
async function weightBytes(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => /\.(?:safetensors|pt)$/.test(name));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function readAs<T>(schema: z.ZodType<T>, path: string): Promise<T> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new InputError("cannot be read as JSON", { where: path, cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new DataFormatError(`${issue?.path.join(".")}: ${issue?.message}`, { where: path });
}

function writeJson(path: string, content: unknown): Promise<void> {
  return replaceText(path, `${JSON.stringify(content, null, 2)}\n`);
}
