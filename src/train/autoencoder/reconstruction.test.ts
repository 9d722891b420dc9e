/** @file Updates of the autoencoder: the same however they are cut into parts, and the same as ever. */
import { createHash } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import type { RgbImage } from "../../image/pixels.ts";
import { parseAutoencoderConfig } from "../../model/autoencoder-config.ts";
import { autoencoderParameters } from "../../model/parameter-list.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { addSums } from "../objective/gradient-reducer.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import { adamW } from "../optimizer/adamw.ts";
import { initialAutoencoderWeights } from "./autoencoder-start-weights.ts";
import { autoencoderTrainConfigSchema } from "./autoencoder-train-config.ts";
import { Reconstruction } from "./reconstruction.ts";

const SIDE = 16;
const AUTOENCODER = { ch: 4, ch_mult: [1, 2], num_res_blocks: 1, num_groups: 2, z_channels: 4, psz: 2 };
const { config: autoencoder } = parseAutoencoderConfig(AUTOENCODER);

/** A block of noise on white: crops are drawn again until they show some of it. */
async function pictureAt(visit: number): Promise<RgbImage> {
  const data = new Uint8Array(3 * SIDE * SIDE).fill(255);
  const rng = new CounterRng(visit);
  const [top, left] = [rng.below(10), rng.below(10)];
  for (let y = top; y < top + 6; y++) {
    for (let x = left; x < left + 6; x++) {
      for (let channel = 0; channel < 3; channel++) data[3 * (y * SIDE + x) + channel] = rng.below(256);
    }
  }
  return { width: SIDE, height: SIDE, data };
}

interface Cut {
  readonly batch: number;
  readonly accumulate: number;
}

function objectiveOf({ batch, accumulate }: Cut): Reconstruction {
  const config = autoencoderTrainConfigSchema.parse({
    output: "o",
    data: "d",
    resolution: SIDE,
    autoencoder: AUTOENCODER,
    phases: [
      { crop: 8, batch, steps: 2 },
      { crop: 16, batch, steps: 1 },
    ],
    loop: { accumulate },
  });
  return new Reconstruction(config, autoencoder, { pictureAt });
}

// Seconds alone; a training run beside them on the same cores makes it minutes.
describe("an update of the autoencoder", { timeout: 300_000 }, () => {
  const engine = new LocalEngine({ threads: 1 });
  afterAll(() => engine[Symbol.asyncDispose]());

  it("in one part feeds the bits that it always did", async () => {
    const objective = objectiveOf({ batch: 4, accumulate: 1 });
    const hash = createHash("sha256");
    for (let step = 0; step < 3; step++) {
      const feeds = await objective.feeds(await objective.plan(step), 0);
      for (const name of ["noise", "pixels", "strength"]) {
        const { data, shape } = feeds[name]!;
        hash.update(`${name} ${shape.join()};`);
        hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      }
      expect([...feeds.share!.data]).toEqual([1]);
    }
    // Made with the loop that drew batch by batch, before there were plans.
    expect(hash.digest("hex").slice(0, 32)).toBe("68be0c13c1a79c5a546c654a9d95a4c2");
  });

  async function train(cut: Cut) {
    const objective = objectiveOf(cut);
    const weights = initialAutoencoderWeights(autoencoderParameters(autoencoder), 3);
    // An epsilon above rounding: Adam's first step is the sign of the gradient, however small that is.
    const optimizer = adamW([{ parameters: weights, learningRate: 0.01, weightDecay: 0 }], {
      betas: [0.9, 0.95],
      epsilon: 1e-3,
    });
    const computer = new PartGradients(engine, objective, weights, 1);
    const figures: number[][] = [];
    for (let step = 0; step < 3; step++) {
      const plan = await objective.plan(step);
      let sums: LossSums = { loss: 0 };
      for (let part = 0; part < plan.parts; part++) {
        sums = addSums(sums, await computer.compute(plan, part, part === 0));
      }
      figures.push([sums.loss, objective.metrics(plan, sums).psnr!]);
      await optimizer.step({ update: step + 1, rateFactor: 1, gradientFactor: 1 });
    }
    return { figures, weights };
  }

  it("in several parts is the same to rounding", async () => {
    const whole = await train({ batch: 4, accumulate: 1 });
    const parts = await train({ batch: 2, accumulate: 2 });
    parts.figures.flat().forEach((value, index) => {
      expect(Math.abs(value / whole.figures.flat()[index]! - 1)).toBeLessThan(1e-4);
    });
    // Steps of 0.01 from gradients that agree to about 1e-5 of their size.
    const distance = Math.max(
      ...parts.weights.map(({ data }, index) =>
        data.reduce((most, value, i) => Math.max(most, Math.abs(value - whole.weights[index]!.data[i]!)), 0),
      ),
    );
    expect(distance).toBeLessThan(1e-4);
  });
});

describe("a plan", () => {
  const base = {
    output: "o",
    data: "d",
    resolution: SIDE,
    autoencoder: AUTOENCODER,
    phases: [{ crop: 8, batch: 8, steps: 1 }],
  };

  it("puts colour channels in another order where asked to, everything else being the same", async () => {
    const config = autoencoderTrainConfigSchema.parse({ ...base, permuteChannels: 1 });
    const objective = new Reconstruction(config, autoencoder, { pictureAt });
    const plan = await objective.plan(0);
    const orders = plan.crops.map(({ channels }) => channels!.join(""));
    expect(new Set(orders).size).toBeGreaterThan(2);
    expect(orders.every((order) => [...order].sort().join("") === "012")).toBe(true);
    const { pixels } = await objective.feeds(plan, 0);
    plan.crops.forEach(({ crop, channels }, index) => {
      for (const [to, from] of channels!.entries()) {
        const value = Number(pixels!.data[(index * 3 + to) * 64 + 9]);
        expect(value).toBeCloseTo(crop.data[3 * 9 + from]! / 127.5 - 1, 5);
      }
    });
  });

  it("cuts given latents where it cuts the picture", async () => {
    const config = autoencoderTrainConfigSchema.parse({ ...base, train: "decoder" });
    // Two pixels a latent pixel and two of those a patch: 8 x 8 latents of 4 channels, each its own number.
    const latentsAt = async () => Float32Array.from({ length: 4 * 64 }, (_, i) => i);
    const marked = async (): Promise<RgbImage> => {
      const data = new Uint8Array(3 * SIDE * SIDE);
      for (let i = 0; i < SIDE * SIDE; i++) data.set([Math.floor(i / SIDE), i % SIDE, 200], 3 * i);
      return { width: SIDE, height: SIDE, data };
    };
    const objective = new Reconstruction(config, autoencoder, { pictureAt: marked, latentsAt });
    const plan = await objective.plan(0);
    const { latents } = await objective.feeds(plan, 0);
    expect(latents!.shape).toEqual([8, 4, 4, 4]);
    plan.crops.forEach(({ crop }, index) => {
      const [top, left] = [crop.data[0]!, crop.data[1]!];
      expect([top % 4, left % 4]).toEqual([0, 0]);
      for (const [channel, row, column] of [
        [0, 0, 0],
        [3, 3, 2],
      ] as const) {
        const value = latents!.data[((index * 4 + channel) * 4 + row) * 4 + column];
        expect(value).toBe((channel * 8 + top / 2 + row) * 8 + left / 2 + column);
      }
    });
  });
});
