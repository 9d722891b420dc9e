/**
 * @file Repeats a reference training run: a batch with stored noise, its losses, every gradient, and the parameters
 * after each AdamW step, each compared with the stored tensor.
 */
import { join } from "node:path";
import { z } from "zod";
import { openModelFolder } from "../../../src/checkpoint/model-folder.ts";
import { DataFormatError } from "../../../src/errors.ts";
import { FileSource } from "../../../src/files/file-source.ts";
import { LocalFolder } from "../../../src/files/local-folder.ts";
import { openSafetensors } from "../../../src/files/safetensors-files.ts";
import { readJson } from "../../../src/formats/json-file.ts";
import type { TensorSource } from "../../../src/formats/tensor-source.ts";
import { patchify } from "../../../src/image/patchify.ts";
import { type NextStepConfig, parseNextStepConfig } from "../../../src/model/config.ts";
import type { Engine } from "../../../src/runtime/engine.ts";
import { type Tensor, toFloat32 } from "../../../src/tensor/tensor.ts";
import { GradientSession } from "../../../src/train/objective/gradient-session.ts";
import {
  type BatchImage,
  type TokenRows,
  trainingFeeds,
} from "../../../src/train/objective/training-feeds.ts";
import { IMAGE_SUM, LM_SUM, trainingGraph } from "../../../src/train/objective/training-graph.ts";
import { adamW } from "../../../src/train/optimizer/adamw.ts";
import { clippingFactor, gradientNorm } from "../../../src/train/optimizer/gradient-clipping.ts";
import { type Trainable, trainable } from "../../../src/train/optimizer/trainable.ts";

const caseSchema = z.looseObject({
  model: z.string(),
  config_override: z.record(z.string(), z.json()).nullish(),
  image_flags: z.array(z.int()),
  batch_mul: z.int().positive().optional(),
  expected: z.array(
    z.looseObject({
      loss: z.number(),
      lm_loss: z.number(),
      image_loss: z.number(),
      grad_norm: z.number(),
    }),
  ),
  optimizer: z.looseObject({
    lr: z.number(),
    betas: z.tuple([z.number(), z.number()]),
    eps: z.number(),
    weight_decay: z.number(),
    max_grad_norm: z.number().nullish(),
    steps: z.int().positive(),
    decayed: z.array(z.string()),
  }),
  tolerance: z.looseObject({
    loss: z.looseObject({ rtol: z.number().optional(), atol: z.number().optional() }),
    grad: z.looseObject({ rtol: z.number().optional(), atol: z.number().optional() }),
    after: z.looseObject({ rtol: z.number().optional(), atol: z.number().optional() }),
  }),
});

type TrainCase = z.infer<typeof caseSchema>;

interface Tolerance {
  readonly rtol?: number | undefined;
  readonly atol?: number | undefined;
}

/** One tensor (or scalar) held against its reference. */
export interface Deviation {
  readonly tensor: string;
  /** Largest absolute difference. */
  readonly error: number;
  /** Largest difference as a share of what is allowed for its element: up to 1 is within tolerance. */
  readonly share: number;
}

/**
 * Below this gradient, rounding decides the sign of Adam's first steps, so that an element may differ by both full
 * steps, and a little for the decay.
 */
const UNDECIDED_GRADIENT = 1e-6;
const UNDECIDED_STEPS = 2.1;

/** @param allowed the difference that is allowed for element i. NaN deviates infinitely. */
function deviation(
  tensor: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  allowed: (index: number) => number,
): Deviation {
  if (actual.length !== expected.length) {
    throw new DataFormatError(`${actual.length} elements, expected ${expected.length}`, { where: tensor });
  }
  let error = 0;
  let share = 0;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(difference)) {
      return { tensor, error: Number.POSITIVE_INFINITY, share: Number.POSITIVE_INFINITY };
    }
    error = Math.max(error, difference);
    if (difference > 0) share = Math.max(share, difference / allowed(i));
  }
  return { tensor, error, share };
}

function within({ rtol = 0, atol = 0 }: Tolerance, expected: ArrayLike<number>): (index: number) => number {
  return (index) => atol + rtol * Math.abs(expected[index]!);
}

/**
 * Runs the case `FOLDER/cases/NAME.json` with the model `FOLDER/models/MODEL`.
 * @returns a deviation for every loss, gradient norm and tensor that the case stores.
 * @throws DataFormatError for a case that is none, and what opening its files throws.
 */
export async function runTrainCase(engine: Engine, folder: string, name: string): Promise<Deviation[]> {
  const path = join(folder, "cases", `${name}.json`);
  const parsed = caseSchema.safeParse(await readJson(await FileSource.open(path)));
  if (!parsed.success) {
    throw new DataFormatError(`is no training case: ${parsed.error.issues[0]?.message}`, { where: path });
  }
  const settings = parsed.data;
  const file = await openSafetensors(join(folder, "cases", `${name}.safetensors`));
  try {
    const stored = await readAll(file);
    await using model = await openModelFolder(new LocalFolder(join(folder, "models", settings.model)));
    const override = { ...(model.configJson as object), ...settings.config_override };
    const { attentionBias, outputBias, mlpBeforeLmHead } = model.config;
    const config: NextStepConfig = {
      ...parseNextStepConfig(override, path).config,
      ...{ attentionBias, outputBias, mlpBeforeLmHead },
      ...(settings.batch_mul === undefined ? {} : { headBatchMultiplier: settings.batch_mul }),
    };
    const draws = { times: floatsOf(stored, "t"), noise: floatsOf(stored, "eps") };
    const batch = trainingFeeds(config, storedRows(config, settings, stored), draws);
    const graph = trainingGraph(config, batch.parts);
    const weights: Trainable[] = [];
    for (const { producer, shape } of graph.parameters) {
      const weight = producer.kind === "parameter" ? producer.name : "";
      weights.push(trainable(weight, shape as readonly number[], (await model.tensors.read(weight)).slice()));
    }
    const session = await GradientSession.create(engine, graph, weights);
    try {
      return await compareSteps(settings, stored, weights, async () => {
        const sums = await session.run(batch.feeds, true);
        return {
          loss: sums.loss,
          lm_loss: (sums[LM_SUM] ?? 0) / batch.lmCount,
          image_loss: batch.imageCount === 0 ? 0 : (sums[IMAGE_SUM] ?? 0) / batch.imageCount,
        };
      });
    } finally {
      await session.dispose();
    }
  } finally {
    await file.close();
  }
}

async function readAll(file: TensorSource): Promise<Map<string, Tensor>> {
  const stored = new Map<string, Tensor>();
  for (const tensor of file.tensors.keys()) stored.set(tensor, await file.readTensor(tensor));
  return stored;
}

function floatsOf(stored: ReadonlyMap<string, Tensor>, name: string): Float32Array {
  const tensor = stored.get(name);
  return tensor === undefined ? new Float32Array(0) : toFloat32(tensor);
}

/** The batch of a case: ids, labels, and the tokens of `latents.0`, `latents.1`, ... */
function storedRows(
  config: NextStepConfig,
  settings: TrainCase,
  stored: ReadonlyMap<string, Tensor>,
): TokenRows {
  const ids = stored.get("input_ids");
  const labels = stored.get("labels");
  const [rows, tokens] = ids?.shape ?? [];
  if (ids === undefined || labels === undefined || rows === undefined || tokens === undefined) {
    throw new DataFormatError("no input_ids [rows, tokens] or no labels", { where: "training case" });
  }
  const images = settings.image_flags.map((flag, index): BatchImage => {
    const latents = stored.get(`latents.${index}`);
    const [, channels, height, width] = latents?.shape ?? [];
    if (latents === undefined || channels === undefined || height === undefined || width === undefined) {
      throw new DataFormatError(`no latents.${index} [1, channels, height, width]`, {
        where: "training case",
      });
    }
    const patch = config.latentPatchSize;
    const grid = [height / patch, width / patch] as const;
    const clean = patchify(toFloat32(latents), { images: 1, channels, patch, grid });
    return { tokens: clean, read: clean, predicted: flag !== 0 };
  });
  const integers = ({ data }: Tensor): Int32Array =>
    Int32Array.from(data as ArrayLike<number | bigint>, Number);
  return { rows, tokens, ids: integers(ids), labels: integers(labels), images };
}

/** Optimizer steps on one batch, each held against the reference. */
async function compareSteps(
  { optimizer: settings, expected, tolerance }: TrainCase,
  stored: ReadonlyMap<string, Tensor>,
  weights: readonly Trainable[],
  computeGradients: () => Promise<Record<"loss" | "lm_loss" | "image_loss", number>>,
): Promise<Deviation[]> {
  const isDecayed = new Set(settings.decayed);
  const groups = [true, false].map((decayed) => ({
    parameters: weights.filter(({ name }) => isDecayed.has(name) === decayed),
    learningRate: settings.lr,
    weightDecay: decayed ? settings.weight_decay : 0,
  }));
  const optimizer = adamW(groups, { betas: settings.betas, epsilon: settings.eps });
  const deviations: Deviation[] = [];
  const smallest = weights.map(({ data }) => new Float32Array(data.length).fill(Number.POSITIVE_INFINITY));
  for (let update = 1; update <= settings.steps; update++) {
    const losses = await computeGradients();
    const norm = gradientNorm(weights);
    const reference = expected[update - 1];
    if (reference !== undefined) {
      for (const [key, value] of Object.entries({ ...losses, grad_norm: norm })) {
        const wanted = [reference[key as keyof typeof losses]];
        deviations.push(deviation(`${key} ${update}`, [value], wanted, within(tolerance.loss, wanted)));
      }
    }
    for (const [index, weight] of weights.entries()) {
      const { name, gradient } = weight;
      smallest[index]!.forEach((value, i) => {
        smallest[index]![i] = Math.min(value, Math.abs(gradient[i]!));
      });
      const wanted = update === 1 ? floatsOf(stored, `grad.${name}`) : [];
      if (wanted.length === 0) continue;
      deviations.push(deviation(`grad.${name}`, gradient, wanted, within(tolerance.grad, wanted)));
    }
    const limit = settings.max_grad_norm ?? Number.POSITIVE_INFINITY;
    const gradientFactor = clippingFactor(norm, limit);
    await optimizer.step({ update, rateFactor: 1, gradientFactor });
    for (const [index, { name, data }] of weights.entries()) {
      const wanted = floatsOf(stored, `after${update}.${name}`);
      if (wanted.length === 0) continue;
      const usual = within(tolerance.after, wanted);
      const undecided = UNDECIDED_STEPS * settings.lr * update;
      const allowed = (i: number): number =>
        smallest[index]![i]! < UNDECIDED_GRADIENT ? undecided : usual(i);
      deviations.push(deviation(`after${update}.${name}`, data, wanted, allowed));
    }
  }
  return deviations;
}
