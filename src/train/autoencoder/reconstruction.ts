/** @file The objective of the autoencoder: random crops, noise on their latents, and what the reconstruction loss asks for. */

import { mul } from "../../graph/operators/elementwise.ts";
import { input } from "../../graph/value.ts";
import { type RgbImage, toPlanes } from "../../image/pixels.ts";
import { type AutoencoderConfig, pixelsPerLatent } from "../../model/autoencoder-config.ts";
import type { FeatureNetConfig } from "../../model/feature-net.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import type { CounterRng } from "../../tensor/counter-rng.ts";
import { joinedFloats } from "../../tensor/joined.ts";
import type { GraphChoice, LossSums, Objective, StepPlan } from "../objective/objective.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import { randomFor } from "../step-random.ts";
import { autoencoderGraph } from "./autoencoder-loss.ts";
import type { AutoencoderTrainConfig } from "./autoencoder-train-config.ts";
import { type CropPlace, contentPlace, cropAt } from "./content-crop.ts";
import { type Phase, type PhaseSpan, phaseSpans, refuseOtherPhases, takenPhases } from "./phases.ts";

/** A square crop and the strength of the noise on its latents. */
interface PlannedCrop {
  readonly crop: RgbImage;
  readonly strength: number;
  /** Where its red, green and blue come from; null: as they are. */
  readonly channels: readonly number[] | null;
  /** [latentChannels, side, side] where latents are given. */
  readonly latents: Float32Array | null;
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
  /** Latents of the whole picture, [channels, height, width], where they are given. */
  latentsAt?(visit: number): Promise<Float32Array>;
}

/** What the loss needs beside the pictures. */
export interface ReconstructionParts {
  /** A net in whose features pictures are compared. */
  readonly featureNet?: FeatureNetConfig | undefined;
  /** Weights that the graph reads and does not train: the net's, and those of a frozen encoder. */
  readonly frozen?: Readonly<Record<string, HostTensor>>;
}

export class Reconstruction implements Objective<ReconstructionPlan> {
  readonly #config: AutoencoderTrainConfig;
  readonly #autoencoder: AutoencoderConfig;
  readonly #pictures: VisitedPictures;
  readonly #phases: readonly PhaseSpan[];
  readonly #parts: ReconstructionParts;
  /** Steps that were planned. */
  #planned = 0;

  constructor(
    config: AutoencoderTrainConfig,
    autoencoder: AutoencoderConfig,
    pictures: VisitedPictures,
    parts: ReconstructionParts = {},
  ) {
    this.#parts = parts;
    this.#config = config;
    this.#autoencoder = autoencoder;
    this.#pictures = pictures;
    this.#phases = phaseSpans(config.phases, config.loop.accumulate);
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
      const place = contentPlace(picture, phase.crop, rng, this.#placeGrid);
      const latents = await this.#pictures.latentsAt?.(visit + index);
      crops.push({
        crop: cropAt(picture, phase.crop, place),
        strength: most * rng.uniform(),
        channels: this.#drawChannels(rng),
        latents: latents === undefined ? null : this.#latentsOf(latents, place, phase.crop),
      });
    }
    const noise = rng.fillNormal(new Float32Array(images * this.#latentElements(phase)));
    this.#planned = step + 1;
    return { parts: loop.accumulate, images, phase, crops, noise };
  }

  /** Crops of given latents begin where a patch does. */
  get #placeGrid(): number {
    if (this.#pictures.latentsAt === undefined) return 1;
    return pixelsPerLatent(this.#autoencoder) * (this.#autoencoder.patchSize ?? 1);
  }

  #drawChannels(rng: CounterRng): readonly number[] | null {
    const { permuteChannels } = this.#config;
    // Nothing is drawn where nothing depends on it: runs without the option keep their bits.
    if (permuteChannels === 0 || rng.uniform() >= permuteChannels) return null;
    return rng.shuffle([0, 1, 2]);
  }

  /** The latents of a crop, from those of its picture. */
  #latentsOf(latents: Float32Array, { top, left }: CropPlace, crop: number): Float32Array {
    const factor = pixelsPerLatent(this.#autoencoder);
    const whole = this.#config.resolution / factor;
    const [row, column, side] = [top / factor, left / factor, crop / factor];
    const { latentChannels } = this.#autoencoder;
    const cut = new Float32Array(latentChannels * side * side);
    for (let line = 0; line < latentChannels * side; line++) {
      const channel = Math.floor(line / side);
      const start = (channel * whole + row + (line % side)) * whole + column;
      cut.set(latents.subarray(start, start + side), line * side);
    }
    return cut;
  }

  graph({ phase: { crop, batch } }: ReconstructionPlan): GraphChoice {
    const side = crop / pixelsPerLatent(this.#autoencoder);
    return {
      key: `${batch} of ${crop}`,
      build: () => {
        // Known sizes let the engine plan its memory once.
        const sizes = { pictures: batch, height: side, width: side };
        const { chroma, perceptual: settings } = this.#config.loss;
        const { featureNet: net } = this.#parts;
        const { loss, meanSquare, perceptual, parameters } = autoencoderGraph(this.#autoencoder, sizes, {
          chroma,
          perceptual: net === undefined || settings === null ? null : { net, weight: settings.weight },
          train: this.#config.train,
          givenLatents: this.#pictures.latentsAt !== undefined,
        });
        const share = input("share", "float32", []);
        const metrics = {
          meanSquare: mul(meanSquare, share),
          ...(perceptual === undefined ? {} : { perceptual: mul(perceptual, share) }),
        };
        return { loss: mul(loss, share), metrics, parameters };
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
    own.forEach(({ crop, channels }, index) => {
      toPlanes(crop, pixels, index * area);
      if (channels !== null) permuteChannels(pixels.subarray(index * area, (index + 1) * area), channels);
    });
    const side = phase.crop / pixelsPerLatent(this.#autoencoder);
    const elements = this.#latentElements(phase);
    const floats = (data: Float32Array, shape: readonly number[]): HostTensor => ({
      dtype: "float32",
      shape,
      data,
    });
    const given = own.flatMap(({ latents }) => (latents === null ? [] : [latents]));
    return {
      ...this.#parts.frozen,
      ...(given.length === 0
        ? {}
        : { latents: floats(joinedFloats(given), [own.length, latentChannels, side, side]) }),
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
    const psnr = -10 * Math.log10((sums.meanSquare ?? 0) / 4);
    return { psnr, ...(sums.perceptual === undefined ? {} : { perceptual: sums.perceptual }) };
  }

  /** A plan depends on the step alone; what was taken is kept so that later phases can be changed, and only those. */
  position(): JsonValue {
    return plainJson(takenPhases(this.#config.phases, this.#planned));
  }

  /** @throws ConfigError when the steps that were taken were other ones. */
  restorePosition(position: JsonValue): void {
    this.#planned = refuseOtherPhases(this.#config.phases, position);
  }

  #latentElements({ crop }: Phase): number {
    return this.#autoencoder.latentChannels * (crop / pixelsPerLatent(this.#autoencoder)) ** 2;
  }
}

/** Puts planes [3, height, width] in another order, in place. */
function permuteChannels(planes: Float32Array, order: readonly number[]): void {
  const before = planes.slice();
  const area = planes.length / order.length;
  order.forEach((from, to) => {
    planes.set(before.subarray(from * area, (from + 1) * area), to * area);
  });
}
