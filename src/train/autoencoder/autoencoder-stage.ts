/**
 * @file The stage that trains the image autoencoder with normalised latents: crops of growing size, noise on the
 * latents, and what the {@link Reconstruction} objective asks for.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeTorchArchive } from "../../files/torch-archive-file.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { encodePng } from "../../image/encode-png.ts";
import { pictureGrid } from "../../image/picture-grid.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { type AutoencoderConfig, toAutoencoderJson } from "../../model/autoencoder-config.ts";
import { LITE0 } from "../../model/feature-net.ts";
import type { Engine } from "../../runtime/engine.ts";
import { float32Tensor } from "../../tensor/tensor.ts";
import type { FaultySamples } from "../data/faulty-samples.ts";
import type { Judgement, TrainStage } from "../loop/train-stage.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import { type NamedBuffer, type Trainable, weightFeeds } from "../optimizer/trainable.ts";
import type { JsonValue } from "../plain-json.ts";
import { adjustableOf, identityOf } from "./autoencoder-identity.ts";
import type { AutoencoderWeights } from "./autoencoder-setup.ts";
import type { AutoencoderTrainConfig } from "./autoencoder-train-config.ts";
import {
  Reconstructor,
  toPictures,
  VALIDATION_NOISE,
  validateAutoencoder,
} from "./autoencoder-validation.ts";
import { Reconstruction, type ReconstructionPlan, type VisitedPictures } from "./reconstruction.ts";

/** Columns of the sample grid. */
export const SAMPLE_PICTURES = 8;

export interface AutoencoderData {
  /** Digests of what the weights depend on beside the settings. */
  readonly inputs: JsonValue;
  /** What is trained on, in the order of visits. */
  readonly visits: VisitedPictures;
  readonly heldOut: readonly RgbImage[];
  readonly faults: FaultySamples;
  /** What the sample grid shows. */
  readonly samples: readonly RgbImage[];
}

export class AutoencoderStage implements TrainStage<ReconstructionPlan> {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly identity: JsonValue;
  readonly adjustable: JsonValue;
  readonly learningRate: number;
  readonly faults: FaultySamples;
  /** Held-out pictures given back without noise on the latents. */
  readonly judgement: Judgement = { metric: `psnr@${VALIDATION_NOISE[0]}`, better: "higher" };
  readonly planner: Reconstruction;
  readonly #config: AutoencoderTrainConfig;
  readonly #autoencoder: AutoencoderConfig;
  readonly #engine: Engine;
  readonly #heldOut: readonly RgbImage[];
  readonly #samples: readonly RgbImage[];
  readonly #gradients: PartGradients<ReconstructionPlan>;
  /** Weights that stay as they are: the encoder's when the decoder is trained alone. */
  readonly #frozen: readonly NamedBuffer[];
  #reconstructor: Reconstructor | undefined;

  constructor(
    config: AutoencoderTrainConfig,
    engine: Engine,
    data: AutoencoderData,
    weights: AutoencoderWeights,
  ) {
    this.#config = config;
    this.#autoencoder = weights.autoencoder;
    this.#engine = engine;
    this.#heldOut = data.heldOut;
    this.#samples = data.samples;
    this.identity = identityOf(config, data.inputs);
    this.adjustable = adjustableOf(config);
    this.learningRate = config.optimizer.learningRate;
    this.faults = data.faults;
    this.trainables = weights.trainables;
    this.optimizer = weights.optimizer;
    this.#frozen = weights.frozen;
    // Without its encoder the graph has no use for the encoder's weights.
    const read = [
      ...(data.visits.latentsAt === undefined ? weights.frozen : []),
      ...(weights.featureNet ?? []),
    ];
    this.planner = new Reconstruction(config, this.#autoencoder, data.visits, {
      featureNet: weights.featureNet === undefined ? undefined : LITE0,
      frozen: weightFeeds(read),
    });
    // One session at a time: that of the phase under way.
    this.#gradients = new PartGradients(engine, this.planner, this.trainables, 1);
  }

  compute(plan: ReconstructionPlan, part: number, isFirst: boolean): Promise<LossSums> {
    return this.#gradients.compute(plan, part, isFirst);
  }

  async validate(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    if (this.#heldOut.length === 0) return {};
    return validateAutoencoder(await this.#reconstruction(), this.#heldOut, this.#whole(weights));
  }

  /** Rows: the pictures, then their reconstructions with growing noise. */
  async drawSamples(weights: readonly NamedBuffer[]): Promise<Uint8Array> {
    const reconstructor = await this.#reconstruction();
    const levels = await reconstructor.reconstruct(this.#samples, VALIDATION_NOISE, this.#whole(weights));
    const rows = levels.map((planes) => toPictures(planes, this.#config.resolution));
    return encodePng(pictureGrid([this.#samples, ...rows]), nodeZlib);
  }

  async #reconstruction(): Promise<Reconstructor> {
    this.#reconstructor ??= await Reconstructor.create(
      this.#engine,
      this.#autoencoder,
      this.#config.resolution,
    );
    return this.#reconstructor;
  }

  /** All weights of the autoencoder, given those that are trained. */
  #whole(weights: readonly NamedBuffer[]): readonly NamedBuffer[] {
    return [...this.#frozen, ...weights];
  }

  async writeModel(folder: string, weights: readonly NamedBuffer[]): Promise<void> {
    const vae = join(folder, "vae");
    await mkdir(vae, { recursive: true });
    const json = JSON.stringify(toAutoencoderJson(this.#autoencoder), undefined, 2);
    await writeFile(join(vae, "config.json"), `${json}\n`);
    const tensors = this.#whole(weights).map(
      ({ name, shape, data }) => [name, float32Tensor(shape, data)] as const,
    );
    await writeTorchArchive(join(vae, "checkpoint.pt"), tensorsToWrite(tensors));
  }
}
