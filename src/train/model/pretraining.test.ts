/** @file Updates of pre-training: the same however they are cut into parts, and the same as ever. */
import { createHash, type Hash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { LocalFolder } from "../../files/local-folder.ts";
import { parseNextStepConfig, tokenWidth } from "../../model/config.ts";
import { modelParameters } from "../../model/parameter-list.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import type { Grid } from "../../sequence/segments.ts";
import { loadTokenizer } from "../../sequence/tokenizer.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import type { SampleText } from "../data/dataset-reader.ts";
import { FaultySamples } from "../data/faulty-samples.ts";
import { addSums } from "../objective/gradient-reducer.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import { adamW } from "../optimizer/adamw.ts";
import { trainable } from "../optimizer/trainable.ts";
import { randomFor } from "../step-random.ts";
import { PaddedBatches } from "./batches.ts";
import type { DataSetConfig } from "./model-train-config.ts";
import { PackedBatches } from "./packed-batches.ts";
import { Pretraining } from "./pretraining.ts";
import { type PlannedImage, SampleSource } from "./samples.ts";

const tokenizer = await loadTokenizer(
  new LocalFolder(fileURLToPath(new URL("../../../test/parity/models/train/", import.meta.url))),
);
const { pad, eos, boi, eoi, placeholder } = tokenizer.specials;
const GRIDS: readonly Grid[] = [
  [2, 2],
  [1, 3],
];
const MAX_LENGTH = 60;
const SEED = 5;

/** @param others fields of config.json. */
function modelOf(others: Readonly<Record<string, unknown>> = {}) {
  const { config } = parseNextStepConfig({
    hidden_size: 16,
    intermediate_size: 24,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    vocab_size: tokenizer.size,
    fm_head_dim: 12,
    fm_head_layers: 1,
    fm_head_batch_mul: 3,
    latent_channels: 2,
    latent_patch_size: 2,
    image_placeholder_id: placeholder,
    boi,
    eoi,
    pad_token_id: pad,
    lm_loss_weight: 0.5,
    ...others,
  });
  return config;
}

/** Captions of 1 to 7 words, pictures of two grids. */
function source(set: number, type: DataSetConfig["type"], samples: number): SampleSource {
  const gridOf = (index: number): Grid => GRIDS[index % 2]!;
  const data = {
    length: 10,
    placeOf: (index: number) => ({ tar: "test.tar", key: String(index) }),
    tarLengths: [5, 5],
    textAt: async (index: number): Promise<SampleText> => {
      const caption = "word ".repeat(1 + (index % 7)).trim();
      const captions = [{ text: caption, weight: 1 }];
      return { key: `s${index}`, where: `s${index}`, captions, metadata: {}, description: { caption } };
    },
    imagesAt: async () => [],
  };
  const latents = type === "nlp" ? undefined : { gridsOf: async (index: number) => [gridOf(index)] };
  const config: DataSetConfig = { path: "", type, samples };
  const settings = { seed: SEED, captions: "weighted" as const, dropText: 0.3, dropCaption: 0.1 };
  const limits = { maxLength: MAX_LENGTH, maxImageTokens: 4 };
  return new SampleSource(
    { set, config, data, latents, faults: new FaultySamples(0) },
    tokenizer,
    settings,
    limits,
  );
}

const LAYOUTS = ["padded", "packed", "packed apart"] as const;
type Layout = (typeof LAYOUTS)[number];

interface Cut {
  readonly batch: number;
  readonly accumulate: number;
}

function objectiveOf(
  layout: Layout,
  cut: Cut,
  model: ReturnType<typeof modelOf>,
  rowLag: number | null = null,
): Pretraining {
  const options = { seed: SEED, ...cut, pad };
  const pictures = source(0, "image_text_pair", 3);
  const packed = { ...options, maxLength: MAX_LENGTH, eos, grids: GRIDS };
  const batches =
    layout === "padded"
      ? new PaddedBatches([pictures], options)
      : new PackedBatches([pictures, source(1, "nlp", 1)], {
          ...packed,
          isolateSamples: layout === "packed apart",
        });
  const load = async (images: readonly PlannedImage[]) =>
    images.map(({ sample, grid }) => {
      const tokens = new Float32Array(grid[0] * grid[1] * tokenWidth(model));
      return { grid, tokens: new CounterRng(sample).fillNormal(tokens) };
    });
  const corruption = { noise: 1, swap: 0.6 };
  return new Pretraining(
    model,
    { batches, load },
    { gradientCheckpointing: false, seed: SEED, corruption, rowLag },
  );
}

function addFeeds(hash: Hash, feeds: Readonly<Record<string, HostTensor>>): void {
  for (const name of Object.keys(feeds).sort()) {
    const { data, shape } = feeds[name]!;
    hash.update(`${name} ${shape.join()};`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
}

describe("an update in one part", () => {
  // Made with the loop that drew batch by batch, before there were plans. Nothing here is computed by an engine.
  it.each([
    ["padded", {}, "fbd0d88489c94414ab7953e8c0be3bd5"],
    ["padded", { noise_strength: 0.5, use_token_length_weight: true }, "a1a49b2b5bd14dcf42d02ba98fcff693"],
    ["packed", {}, "0b62973abfc9b0f87176ad92393c5485"],
    ["packed apart", {}, "abec462c84ceea64248b8f1a0fbe9cea"],
  ] as const)("feeds the bits that it always did: %s %o", async (layout, others, expected) => {
    const objective = objectiveOf(layout, { batch: 3, accumulate: 1 }, modelOf(others));
    const hash = createHash("sha256");
    // Ten steps reach into the second window. Each as it comes: a mask is only good until the next part's.
    for (let step = 0; step < 10; step++)
      addFeeds(hash, await objective.feeds(await objective.plan(step), 0));
    expect(hash.digest("hex").slice(0, 32)).toBe(expected);
  });
});

describe("an update in several parts", () => {
  const engine = new LocalEngine({ threads: 1 });
  afterAll(() => engine[Symbol.asyncDispose]());

  /** Some steps of training: the rows of each step without padding, its figures, and the last weights. */
  async function train(layout: Layout, cut: Cut, others: Readonly<Record<string, unknown>>) {
    const model = modelOf(others);
    const objective = objectiveOf(layout, cut, model);
    const weights = modelParameters(model).map(({ name, shape }) => {
      const data = randomFor(3, name).fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));
      return trainable(
        name,
        shape,
        data.map((value) => 0.2 * value),
      );
    });
    // An epsilon above rounding: Adam's first step is the sign of the gradient, however small that is.
    const optimizer = adamW([{ parameters: weights, learningRate: 0.01, weightDecay: 0.1 }], {
      betas: [0.9, 0.95],
      epsilon: 1e-3,
    });
    const computer = new PartGradients(engine, objective, weights, 4);
    const rows: number[][][] = [];
    const figures: Record<string, number>[] = [];
    for (let step = 0; step < 3; step++) {
      const plan = await objective.plan(step);
      expect(plan.parts).toBe(cut.accumulate);
      rows.push(
        plan.batches.flatMap(({ rows: { ids, rows: count, tokens } }) =>
          Array.from({ length: count }, (_, row) =>
            [...ids.subarray(row * tokens, (row + 1) * tokens)].filter((id) => id !== pad),
          ),
        ),
      );
      let sums: LossSums = { loss: 0 };
      for (let part = 0; part < plan.parts; part++) {
        sums = addSums(sums, await computer.compute(plan, part, part === 0));
      }
      const { padding: _, ...metrics } = objective.metrics(plan, sums);
      figures.push({ loss: sums.loss, ...metrics });
      await optimizer.step({ update: step + 1, rateFactor: 1, gradientFactor: 1 });
    }
    return { rows, figures, weights };
  }

  it.each(
    LAYOUTS.flatMap((layout) =>
      [{}, { noise_strength: 0.5, use_token_length_weight: true }].map((others) => [layout, others] as const),
    ),
  )("is the same to rounding: %s %o", async (layout, others) => {
    const whole = await train(layout, { batch: 4, accumulate: 1 }, others);
    for (const cut of [
      { batch: 2, accumulate: 2 },
      { batch: 1, accumulate: 4 },
    ]) {
      const parts = await train(layout, cut, others);
      expect(parts.rows).toEqual(whole.rows);
      parts.figures.forEach((figures, step) => {
        for (const [name, value] of Object.entries(figures)) {
          expect(Math.abs(value / whole.figures[step]![name]! - 1)).toBeLessThan(1e-5);
        }
      });
      // Steps of 0.01 from gradients that agree to about 1e-6 of their size.
      const distance = Math.max(
        ...parts.weights.flatMap(({ data }, index) =>
          data.reduce(
            (most, value, i) => Math.max(most, Math.abs(value - whole.weights[index]!.data[i]!)),
            0,
          ),
        ),
      );
      expect(distance).toBeLessThan(1e-5);
    }
    // The rows differ in what they count: a mean of the parts' means would be another update.
    expect(new Set(whole.rows.flat().map(({ length }) => length)).size).toBeGreaterThan(1);
  });
});
