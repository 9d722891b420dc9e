/** @file The objective of the autoencoder: random crops, noise on their latents, and what the reconstruction loss asks for. */
import { mul } from "../../graph/operators/elementwise.ts";
import { input } from "../../graph/value.ts";
import { type RgbImage, toPlanes } from "../../image/pixels.ts";
import { type AutoencoderConfig, pixelsPerLatent } from "../../model/autoencoder-config.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import type { GraphChoice, LossSums, Objective, StepPlan } from "../objective/objective.ts";
import { randomFor } from "../step-random.ts";
import { autoencoderGraph } from "./autoencoder-loss.ts";
import type { AutoencoderTrainConfig } from "./autoencoder-train-config.ts";
import { contentCrop } from "./content-crop.ts";

type Phase = AutoencoderTrainConfig["phases"][number];

/** A phase and where it begins. */
interface PhaseSpan extends Phase {
  readonly firstStep: number;
  /** Pictures visited before it. */
  readonly firstVisit: number;
}

/** A square crop and the strength of the noise on its latents. */
interface PlannedCrop {
  readonly crop: RgbImage;
  readonly strength: number;
}

export interface ReconstructionPlan extends StepPlan {
  readonly phase: Phase;
  readonly crops: readonly PlannedCrop[];
  /** [images, latentChannels, side, side] in latent pixels, normal. */
  readonly noise: Float32Array;
}

/** Pictures in the order of their visits. */
export interface VisitedPictures {
  pictureAt(visit: number): Promise<RgbImage>;
}

export class Reconstruction implements Objective<ReconstructionPlan> {
  readonly #config: AutoencoderTrainConfig;
  readonly #autoencoder: AutoencoderConfig;
  readonly #pictures: VisitedPictures;
  readonly #phases: readonly PhaseSpan[];

  constructor(config: AutoencoderTrainConfig, autoencoder: AutoencoderConfig, pictures: VisitedPictures) {
    this.#config = config;
    this.#autoencoder = autoencoder;
    this.#pictures = pictures;
    this.#phases = phaseSpans(config);
  }

  /** Where a crop is taken depends on what it would show, so that the plan looks at the pictures and holds the crops. */
  async plan(step: number): Promise<ReconstructionPlan> {
    const phase = this.#phases.findLast(({ firstStep }) => firstStep <= step)!;
    const { seed, noise: most, loop } = this.#config;
    const images = phase.batch * loop.accumulate;
    const visit = phase.firstVisit + (step - phase.firstStep) * images;
    const rng = randomFor(seed, "batch", step, 0);
    const crops: PlannedCrop[] = [];
    for (let index = 0; index < images; index++) {
      const picture = await this.#pictures.pictureAt(visit + index);
      crops.push({ crop: contentCrop(picture, phase.crop, rng), strength: most * rng.uniform() });
    }
    const noise = rng.fillNormal(new Float32Array(images * this.#latentElements(phase)));
    return { parts: loop.accumulate, images, phase, crops, noise };
  }

  graph({ phase: { crop, batch } }: ReconstructionPlan): GraphChoice {
    const side = crop / pixelsPerLatent(this.#autoencoder);
    return {
      key: `${batch} of ${crop}`,
      build: () => {
        // Known sizes let the engine plan its memory once.
        const sizes = { pictures: batch, height: side, width: side };
        const { loss, meanSquare, parameters } = autoencoderGraph(this.#autoencoder, sizes);
        const share = input("share", "float32", []);
        return { loss: mul(loss, share), metrics: { meanSquare: mul(meanSquare, share) }, parameters };
      },
    };
  }

  async feeds(plan: ReconstructionPlan, part: number): Promise<Readonly<Record<string, HostTensor>>> {
    const { phase, parts, crops, noise } = plan;
    const { inChannels, latentChannels } = this.#autoencoder;
    const first = part * phase.batch;
    const own = crops.slice(first, first + phase.batch);
    const area = inChannels * phase.crop ** 2;
    const pixels = new Float32Array(own.length * area);
    own.forEach(({ crop }, index) => {
      toPlanes(crop, pixels, index * area);
    });
    const side = phase.crop / pixelsPerLatent(this.#autoencoder);
    const elements = this.#latentElements(phase);
    const floats = (data: Float32Array, shape: readonly number[]): HostTensor => ({
      dtype: "float32",
      shape,
      data,
    });
    return {
      pixels: floats(pixels, [own.length, inChannels, phase.crop, phase.crop]),
      noise: floats(noise.slice(first * elements, (first + own.length) * elements), [
        own.length,
        latentChannels,
        side,
        side,
      ]),
      strength: floats(
        Float32Array.from(own, ({ strength }) => strength),
        [own.length, 1, 1, 1],
      ),
      share: floats(Float32Array.of(1 / parts), []),
    };
  }

  /** PSNR over all values of the step, with noise: lower than what validation finds picture by picture. */
  metrics(_plan: ReconstructionPlan, sums: LossSums): Record<string, number> {
    return { psnr: -10 * Math.log10((sums.meanSquare ?? 0) / 4) };
  }

  /** A plan depends on the step alone. */
  position(): null {
    return null;
  }

  restorePosition(): void {}

  #latentElements({ crop }: Phase): number {
    return this.#autoencoder.latentChannels * (crop / pixelsPerLatent(this.#autoencoder)) ** 2;
  }
}

function phaseSpans(config: AutoencoderTrainConfig): PhaseSpan[] {
  let firstStep = 0;
  let firstVisit = 0;
  return config.phases.map((phase) => {
    const span = { ...phase, firstStep, firstVisit };
    firstStep += phase.steps;
    firstVisit += phase.steps * phase.batch * config.loop.accumulate;
    return span;
  });
}
