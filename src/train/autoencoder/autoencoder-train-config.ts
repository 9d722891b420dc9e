/** @file Config of autoencoder training. */
import { z } from "zod";
import { adamWSchema, engineSchema, loopSchema } from "../loop/train-config.ts";

const phaseSchema = z.strictObject({
  /** Sides of the square crops, in pixels; crops smaller than the pictures are chosen to show something. */
  crop: z.int().positive(),
  /** Pictures a batch. */
  batch: z.int().positive(),
  steps: z.int().positive(),
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
  /** Noise on the normalised latents: strength uniform in 0 to this, for each picture. */
  noise: z.number().min(0).default(0.5),
  /** Taken one after the other. */
  phases: z.array(phaseSchema).min(1),
  optimizer: adamWSchema.prefault({}),
  loop: loopSchema.prefault({}),
  engine: engineSchema.prefault({}),
  /** Bound on decoded pictures kept in memory, in bytes. */
  cacheBytes: z
    .int()
    .min(0)
    .default(512 * 1024 * 1024),
});

export type AutoencoderTrainConfig = z.infer<typeof autoencoderTrainConfigSchema>;
