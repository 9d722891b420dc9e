import { afterAll, describe, expect, it } from "vitest";
import { parseNextStepConfig } from "../../model/config.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { type Trainable, trainable } from "../optimizer/trainable.ts";
import { randomFor } from "../step-random.ts";
import { drawFlow } from "./flow-draws.ts";
import { GradientSession } from "./gradient-session.ts";
import type { TokenRows } from "./token-rows.ts";
import { predictionCount, trainingFeeds } from "./training-feeds.ts";
import { IMAGE_SUM, LM_SUM, type TrainingGraphOptions, trainingGraph } from "./training-graph.ts";

const json = {
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 20,
  fm_head_dim: 12,
  fm_head_layers: 1,
  fm_head_batch_mul: 2,
  latent_channels: 2,
  image_placeholder_id: 17,
  boi: 15,
  eoi: 16,
};
const { config } = parseNextStepConfig(json);
const WIDTH = 8;
const [BOI, EOI, IMAGE, PAD] = [15, 16, 17, 18];

/** Text, then an image of two tokens. */
const first = { ids: [1, 2, BOI, IMAGE, IMAGE, EOI, 3], labels: [1, 2, -100, -100, IMAGE, EOI, 3] };
const second = { ids: [4, BOI, IMAGE, IMAGE, EOI, 5], labels: [4, -100, -100, IMAGE, EOI, 5] };

function picture(seed: number): Float32Array {
  return new CounterRng(seed).fillNormal(new Float32Array(2 * WIDTH));
}

function rowsOf(
  rows: readonly { readonly ids: readonly number[]; readonly labels: readonly number[] }[],
  tokens: number,
  pictures: readonly Float32Array[],
): TokenRows {
  const ids = new Int32Array(rows.length * tokens).fill(PAD);
  const labels = new Int32Array(rows.length * tokens).fill(-100);
  rows.forEach((row, index) => {
    ids.set(row.ids, index * tokens);
    labels.set(row.labels, index * tokens);
  });
  const images = pictures.map((clean) => ({ tokens: clean, read: clean, predicted: true }));
  return { rows: rows.length, tokens, ids, labels, images };
}

interface Result {
  readonly loss: number;
  readonly lm: number;
  readonly image: number;
  readonly weights: readonly Trainable[];
}

describe("the training objective", () => {
  const engine = new LocalEngine({ threads: 1 });
  afterAll(() => engine[Symbol.asyncDispose]());

  /** Losses and gradients of a batch. All weights are random, so that everything is reached. */
  async function evaluate(
    batch: TokenRows,
    options: TrainingGraphOptions = {},
    more: Readonly<Record<string, HostTensor>> = {},
  ): Promise<Result> {
    const draws = drawFlow(config, predictionCount(config, batch), new CounterRng(9));
    const { parts, feeds } = trainingFeeds(config, batch, draws);
    const graph = trainingGraph(config, parts, undefined, options);
    const weights = graph.parameters.map(({ producer, shape }) => {
      const name = producer.kind === "parameter" ? producer.name : "";
      const size = shape as number[];
      const data = new Float32Array(size.reduce((a, b) => a * b, 1));
      randomFor(3, name).fillNormal(data);
      for (let i = 0; i < data.length; i++) data[i] = 0.3 * data[i]! + (name.includes("norm") ? 1 : 0);
      return trainable(name, size, data);
    });
    const session = await GradientSession.create(engine, graph, weights);
    const { loss, [LM_SUM]: lm, [IMAGE_SUM]: image } = await session.run({ ...feeds, ...more }, true);
    await session.dispose();
    return { loss, lm: lm ?? Number.NaN, image: image ?? 0, weights };
  }

  /** Largest difference of the loss and of every gradient, as a share of its largest element. */
  const difference = (a: Result, b: Result): number =>
    Math.max(
      Math.abs(a.loss - b.loss) / b.loss,
      ...a.weights.map(({ gradient }, index) => {
        const other = b.weights[index]!.gradient;
        const size = other.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
        return gradient.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0) / size;
      }),
    );

  it("does not see padding", async () => {
    const pictures = [picture(1), picture(2)];
    const tight = await evaluate(rowsOf([first, second], 7, pictures));
    const loose = await evaluate(rowsOf([first, second], 12, pictures));
    expect(difference(loose, tight)).toBeLessThan(1e-5);
  });

  it("gives the very gradients where layers are computed anew for them", async () => {
    const batch = rowsOf([first, second], 7, [picture(1), picture(2)]);
    const held = await evaluate(batch);
    const anew = await evaluate(batch, { gradientCheckpointing: true });
    expect(anew.loss).toBe(held.loss);
    for (const [index, { name, gradient }] of anew.weights.entries()) {
      expect(gradient, name).toEqual(held.weights[index]!.gradient);
      expect(gradient.some((value) => value !== 0)).toBe(true);
    }
  });

  it("counts each token's errors as much as it is told, and none that the base makes as well", async () => {
    const rows = rowsOf([first, second], 7, [picture(1), picture(2)]);
    const ofTokens = (values: readonly number[]): HostTensor => ({
      ...{ dtype: "float32", shape: [values.length, 1, 1] },
      data: Float32Array.from(values),
    });
    const beside = async (asBase: readonly number[], weights: readonly number[]): Promise<number> => {
      const feeds = { as_base: ofTokens(asBase), error_weights: ofTokens(weights) };
      return (await evaluate(rows, { asBase: true }, feeds)).image;
    };
    const none = [0, 0, 0, 0];
    const { image } = await evaluate(rows);
    expect(await beside(none, [1, 1, 1, 1])).toBeCloseTo(image, 4);
    expect(await beside(none, [3, 3, 3, 3])).toBeCloseTo(3 * image, 3);
    const left = await beside(none, [2, 2, 0, 0]);
    expect(left).toBeGreaterThan(1);
    expect(left + (await beside(none, [0, 0, 2, 2]))).toBeCloseTo(2 * image, 3);
    // Nothing stands beside the weights here: the base is the same model.
    expect(await beside([1, 1, 1, 1], [5, 5, 5, 5])).toBeLessThan(1e-8);
    expect(await beside([1, 1, 0, 0], [5, 5, 2, 2])).toBeCloseTo(2 * image - left, 3);
  });

  it("treats isolated samples of a row as rows of their own", async () => {
    const pictures = [picture(1), picture(2)];
    const apart = await evaluate(rowsOf([first, second], 7, pictures));
    const row = { ids: [...first.ids, ...second.ids], labels: [...first.labels, ...second.labels] };
    // The first id of a sample is predicted from the sample before it, as in published rows.
    row.labels[first.ids.length] = -100;
    const packed = rowsOf([row], 13, pictures);
    const samples = Int32Array.from(row.ids, (_, at) => (at < first.ids.length ? 0 : 1));
    const together = await evaluate({ ...packed, samples });
    expect(difference(together, apart)).toBeLessThan(1e-5);
    expect(difference(await evaluate(packed), apart)).toBeGreaterThan(1e-3);
  });

  it("reads corrupted tokens and predicts clean ones", async () => {
    // A picture of one token, predicted before it is read: what is read changes only the text behind it.
    const row = { ids: [1, 2, BOI, IMAGE, EOI, 3], labels: [1, 2, -100, -100, EOI, 3] };
    const [clean, other] = [picture(1), picture(5)].map((tokens) => tokens.subarray(0, WIDTH)) as [
      Float32Array,
      Float32Array,
    ];
    const evaluateWith = (tokens: Float32Array, read: Float32Array) =>
      evaluate({ ...rowsOf([row], 6, []), images: [{ tokens, read, predicted: true }] });
    const corrupted = await evaluateWith(clean, other);
    const plain = await evaluateWith(clean, clean);
    const replaced = await evaluateWith(other, other);
    const apart = (a: number, b: number): number => Math.abs(a / b - 1);
    expect(apart(corrupted.image, plain.image)).toBeLessThan(1e-6);
    expect(apart(corrupted.image, replaced.image)).toBeGreaterThan(0.01);
    expect(apart(corrupted.lm, replaced.lm)).toBeLessThan(1e-6);
    expect(apart(corrupted.lm, plain.lm)).toBeGreaterThan(0.01);
  });

  it("leaves pictures that are only read out of the image loss", async () => {
    const batch = rowsOf([first, second], 7, [picture(1), picture(2)]);
    const [shown, counted] = batch.images;
    const partial = await evaluate({ ...batch, images: [{ ...shown!, predicted: false }, counted!] });
    const alone = await evaluate(rowsOf([second], 7, [picture(2)]));
    expect(Math.abs(partial.image / alone.image - 1)).toBeLessThan(1e-5);
  });

  it("trains on text alone, without the head", async () => {
    const text = { ids: [1, 2, 3, 4], labels: [1, 2, 3, 4] };
    const { lm, weights } = await evaluate(rowsOf([text], 4, []));
    // Weights as small as the first ones say nearly nothing: three ids, each one of twenty.
    expect(lm / 3).toBeCloseTo(Math.log(20), 1);
    expect(weights.some(({ name }) => name.startsWith("image_"))).toBe(false);
  });

  it("refuses batches whose pictures and placeholders disagree", () => {
    const batch = rowsOf([first], 7, []);
    const draws = drawFlow(config, 0, new CounterRng(1));
    expect(() => trainingFeeds(config, batch, draws)).toThrow(/2 image positions for 0 image tokens/);
  });
});
