/**
 * @file Kind `train`: a batch with stored noise, its losses, every gradient, and the parameters after each AdamW step
 * (docs/nextstep-spec.md 4.5, 4.6).
 */
import { z } from "zod";
import { DataFormatError } from "../../../src/errors.ts";
import { patchify } from "../../../src/image/patchify.ts";
import { type NextStepConfig, parseNextStepConfig } from "../../../src/model/config.ts";
import { type Tensor, toFloat32 } from "../../../src/tensor/tensor.ts";
import { GradientSession } from "../../../src/train/objective/gradient-session.ts";
import type { BatchImage, TokenRows } from "../../../src/train/objective/token-rows.ts";
import { trainingFeeds } from "../../../src/train/objective/training-feeds.ts";
import { IMAGE_SUM, LM_SUM, trainingGraph } from "../../../src/train/objective/training-graph.ts";
import { adamW } from "../../../src/train/optimizer/adamw.ts";
import { clippingFactor, gradientNorm } from "../../../src/train/optimizer/gradient-clipping.ts";
import { type Trainable, trainable } from "../../../src/train/optimizer/trainable.ts";
import { isDecayed } from "../../../src/train/optimizer/weight-decay.ts";
import type { CaseCheck } from "./case-check.ts";
import { type ParityCase, parseFields } from "./parity-case.ts";
import type { ParityContext } from "./parity-context.ts";

const losses = z.looseObject({
  loss: z.number().optional(),
  lm_loss: z.number().optional(),
  image_loss: z.number().optional(),
  grad_norm: z.number().optional(),
});

const fields = z.looseObject({
  config_override: z.record(z.string(), z.json()).nullish(),
  image_flags: z.array(z.int()).optional(),
  batch_mul: z.int().positive().optional(),
  /** Of each step. */
  expected: z.array(losses).default([]),
  // Defaults as published (docs/nextstep-spec.md 4.6).
  optimizer: z
    .looseObject({
      lr: z.number().default(1e-4),
      betas: z.tuple([z.number(), z.number()]).default([0.9, 0.95]),
      eps: z.number().default(1e-8),
      weight_decay: z.number().default(0.1),
      max_grad_norm: z.number().nullish(),
      steps: z.int().positive().default(1),
      decayed: z.array(z.string()).optional(),
    })
    .prefault({}),
});
type TrainCase = z.infer<typeof fields>;

/**
 * Below this gradient, rounding decides the sign of Adam's first steps, so that an element may differ by both full
 * steps, and a little for the decay.
 */
const UNDECIDED_GRADIENT = 1e-6;
const UNDECIDED_STEPS = 2.1;

export async function runTrainCase(
  test: ParityCase,
  check: CaseCheck,
  context: ParityContext,
): Promise<void> {
  const settings = parseFields(fields, test.json, test.name);
  const model = await context.model(test.model);
  const override = { ...(model.configJson as object), ...settings.config_override };
  const { attentionBias, outputBias, mlpBeforeLmHead } = model.config;
  const config: NextStepConfig = {
    ...parseNextStepConfig(override, test.name).config,
    // Which biases there are, the tensors say.
    ...{ attentionBias, outputBias, mlpBeforeLmHead },
    ...(settings.batch_mul === undefined ? {} : { headBatchMultiplier: settings.batch_mul }),
  };
  const rows = await readRows(check, config, settings);
  const batch = trainingFeeds(config, rows, await readDraws(check));
  const graph = trainingGraph(config, batch.parts);
  const weights: Trainable[] = [];
  for (const { producer, shape } of graph.parameters) {
    const weight = producer.kind === "parameter" ? producer.name : "";
    weights.push(trainable(weight, shape as readonly number[], (await model.tensors.read(weight)).slice()));
  }
  if (settings.optimizer.decayed !== undefined) {
    const decayed = weights.map(({ name }) => name).filter(isDecayed);
    check.equal("decayed", decayed.sort(), [...settings.optimizer.decayed].sort());
  }
  const session = await GradientSession.create(context.engine, graph, weights);
  try {
    await compareSteps(check, settings, weights, async () => {
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
}

/** The batch of a case: ids, labels, and the tokens of `latents.0`, `latents.1`, ... */
async function readRows(check: CaseCheck, config: NextStepConfig, settings: TrainCase): Promise<TokenRows> {
  const ids = await check.input("input_ids");
  const labels = await check.input("labels");
  const [rows = 0, tokens = 0] = ids.shape;
  if (check.has("attention_mask")) {
    // Whether padding behind all tokens is attended to makes no difference to them; other masks are not trained with.
    const mask = integers(await check.input("attention_mask"));
    const isHole = (value: number, at: number): boolean =>
      value === 0 && (at + 1) % tokens !== 0 && mask[at + 1] !== 0;
    if (mask.some(isHole))
      throw new DataFormatError("hides tokens from later ones", { where: "attention_mask" });
  }
  const images: BatchImage[] = [];
  for (let index = 0; check.has(`latents.${index}`); index++) {
    const latents = await check.input(`latents.${index}`);
    const [, channels = 0, height = 0, width = 0] = latents.shape;
    const patch = config.latentPatchSize;
    const grid = [height / patch, width / patch] as const;
    const clean = patchify(toFloat32(latents), { images: 1, channels, patch, grid });
    images.push({ tokens: clean, read: clean, predicted: settings.image_flags?.[index] !== 0 });
  }
  return { rows, tokens, ids: integers(ids), labels: integers(labels), images };
}

function integers({ data }: Tensor): Int32Array {
  return Int32Array.from(data as ArrayLike<number | bigint>, Number);
}

async function readDraws(check: CaseCheck): Promise<{ times: Float32Array; noise: Float32Array }> {
  if (check.has("u")) {
    const u = await check.floats("u");
    await check.compare("t", { shape: check.shapeOf("u"), data: u.map((x) => 1 / (1 + Math.exp(-x))) });
  }
  const floats = async (name: string) => (check.has(name) ? await check.floats(name) : new Float32Array(0));
  return { times: await floats("t"), noise: await floats("eps") };
}

/** Optimizer steps on one batch, each held against the reference. */
async function compareSteps(
  check: CaseCheck,
  { optimizer: settings, expected }: TrainCase,
  weights: readonly Trainable[],
  computeGradients: () => Promise<Record<"loss" | "lm_loss" | "image_loss", number>>,
): Promise<void> {
  const groups = [true, false].map((decayed) => ({
    parameters: weights.filter(({ name }) => isDecayed(name) === decayed),
    learningRate: settings.lr,
    weightDecay: decayed ? settings.weight_decay : 0,
  }));
  const optimizer = adamW(groups, { betas: settings.betas, epsilon: settings.eps });
  const smallest = weights.map(({ data }) => new Float32Array(data.length).fill(Number.POSITIVE_INFINITY));
  for (let update = 1; update <= settings.steps; update++) {
    const computed = await computeGradients();
    const norm = gradientNorm(weights);
    const reference = expected[update - 1] ?? {};
    for (const [name, value] of Object.entries({ ...computed, grad_norm: norm })) {
      const wanted = reference[name];
      if (typeof wanted === "number") check.number(`${name} ${update}`, value, wanted, "loss");
    }
    for (const [index, { name, shape, gradient }] of weights.entries()) {
      const least = smallest[index]!;
      gradient.forEach((value, i) => {
        least[i] = Math.min(least[i]!, Math.abs(value));
      });
      if (update === 1) await check.compare(`grad.${name}`, { shape, data: gradient });
    }
    const gradientFactor = clippingFactor(norm, settings.max_grad_norm ?? Number.POSITIVE_INFINITY);
    await optimizer.step({ update, rateFactor: 1, gradientFactor });
    for (const [index, { name, shape, data }] of weights.entries()) {
      const isUndecided = (i: number): boolean => smallest[index]![i]! < UNDECIDED_GRADIENT;
      const undecided = { isLoose: isUndecided, atol: UNDECIDED_STEPS * settings.lr * update };
      await check.compare(`after${update}.${name}`, { shape, data }, { loose: undecided });
    }
  }
}
