/** @file Puts a trained model into the package, and writes beside it what is known of it. */
import { cp, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { z } from "zod";
import { convertTensors } from "../../checkpoint/convert-dtype.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { DataFormatError, InputError, ModelFormatError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { replaceFile } from "../../files/replacement-file.ts";
import { isJsonObject } from "../../formats/json-file.ts";
import { NEXTSTEP_FILE } from "../../generate/default-settings.ts";
import { contentsOf, writeModelFolder } from "../../node/write-model-folder.ts";
import type { Evaluation } from "../emoji/evaluation.ts";
import { curvePicture } from "./curve-picture.ts";
import { creditsSchema, curvePanels, fillCard, stagesSchema, type TrainedStage } from "./model-card.ts";
import { summarizeLog } from "./training-summary.ts";

/**
 * Replaces weights, configuration and tokenizer of `target` by those of `source` at half precision. Of its nextstep.json
 * the settings stay unless the source has some, and what it was trained on is the source's.
 * @throws ModelFormatError when the source has no autoencoder.
 */
export async function publishWeights(source: string, target: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "nextstep-publish-"));
  try {
    await using folder = await openModelFolder(new LocalFolder(source));
    const { autoencoder, tensors, ...content } = contentsOf(folder);
    if (autoencoder === undefined) {
      throw new ModelFormatError("has no autoencoder", { where: source, remedy: "train it with one" });
    }
    const written = join(work, "model");
    await writeModelFolder(written, {
      ...content,
      tensors: convertTensors(tensors, "float16"),
      autoencoder: { ...autoencoder, tensors: convertTensors(autoencoder.tensors, "float16") },
    });
    // What the model before was trained on says nothing of this one.
    const { trained: _before, ...kept } = await readObject(join(target, NEXTSTEP_FILE));
    const settings = { ...kept, ...(await readObject(join(source, NEXTSTEP_FILE))) };
    await cp(written, target, { recursive: true });
    await writeJson(join(target, NEXTSTEP_FILE), settings);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

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
export async function publishCard(
  target: string,
  evaluation: Evaluation,
  sources: CardSources,
): Promise<void> {
  const listed = await readAs(stagesSchema, sources.stages);
  const stages: TrainedStage[] = [];
  for (const { log, ...stage } of listed) {
    stages.push({ ...stage, summary: await summarizeLog(join(sources.runs, log)) });
  }
  const credits = await readAs(creditsSchema, join(sources.data, "CREDITS.json"));
  await using folder = await openModelFolder(new LocalFolder(target));
  const bytesOf = async (path: string): Promise<number> => (await stat(path)).size;
  const card = fillCard(await readFile(sources.template, "utf8"), {
    config: folder.config,
    bytes: {
      transformer: await bytesOf(join(target, "model.safetensors")),
      autoencoder: await bytesOf(join(target, "vae", folder.autoencoder?.weightFile ?? "checkpoint.pt")),
    },
    evaluation,
    stages,
    credits,
  });
  await writeText(join(target, "curves.svg"), curvePicture(curvePanels(stages)));
  await writeJson(join(target, "training.json"), stages);
  await writeJson(join(target, "evaluation.json"), evaluation);
  await writeText(join(target, "README.md"), card);
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

/** The object in a JSON file; empty without the file. */
async function readObject(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  const json: unknown = text === undefined ? {} : JSON.parse(text);
  return isJsonObject(json) ? { ...json } : {};
}

function writeJson(path: string, content: unknown): Promise<void> {
  return writeText(path, `${JSON.stringify(content, null, 2)}\n`);
}

function writeText(path: string, text: string): Promise<void> {
  return replaceFile(path, (file) => file.write(new TextEncoder().encode(text)));
}
