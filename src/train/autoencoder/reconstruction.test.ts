/** @file Updates of the autoencoder: the same however they are cut into parts, and the same as ever. */
import { createHash } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import type { RgbImage } from "../../image/pixels.ts";
import { parseAutoencoderConfig } from "../../model/autoencoder-config.ts";
import { autoencoderParameters } from "../../model/parameter-list.ts";
import { LocalEngine } from "../../runtime/local-engine.ts";
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
