/** @file The settings of tiny runs of every kind of training. */
import { join } from "node:path";

/** Each kind of training. */
export const STAGES = ["autoencoder", "model", "adapter", "preference", "reward"] as const;
export type StageName = (typeof STAGES)[number];

/** The stage whose result one starts from; the first starts from nothing. */
export const STARTS: Readonly<Record<StageName, StageName | undefined>> = {
  autoencoder: undefined,
  model: "autoencoder",
  adapter: "model",
  preference: "model",
  reward: "model",
};

/** Side of pictures, in pixels. */
export const SIDE = 32;

/** Small, but with eight pixels a latent, as the model wants them. */
const AUTOENCODER = {
  ch: 8,
  ch_mult: [1, 1, 1, 1],
  num_res_blocks: 1,
  num_groups: 4,
  z_channels: 4,
  psz: 2,
  encoder_norm: true,
};
const MODEL = {
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  latent_channels: 4,
  fm_head_dim: 16,
  fm_head_layers: 1,
  fm_head_batch_mul: 2,
};
const LOOP = { ema: 0.9, validateEvery: 4, sampleEvery: 4, saveEvery: 2, keep: 2, accumulate: 2 };
const SAMPLES = { prompts: ["a red square"], steps: 2 };
const ADAPTER = { rank: 2 };

/** What a run is given, and where it writes. */
export interface TrainingPlaces {
  readonly output: string;
  readonly data: string;
  readonly heldOut: string;
  /** Folder with pairs.jsonl. */
  readonly pairs: string;
  /** A reward that runs a program. */
  readonly reward: string;
  /** The result that the stage starts from. */
  readonly start: string;
}

export interface TinyTrainingChange extends Partial<Omit<TrainingPlaces, "output">> {
  /** Checkpoints. */
  readonly keep?: number | undefined;
}

/** The content of a run's config. @param keep checkpoints. */
export function tinyTraining(stage: StageName, places: TrainingPlaces, keep = LOOP.keep): object {
  const { output, data, heldOut, pairs, reward, start } = places;
  const shared = { output, loop: { ...LOOP, keep }, engine: { threads: 1 } };
  const captioned = { data, validationData: heldOut };
  const rows = {
    ...captioned,
    ...{ imageSize: SIDE, aspectBuckets: false, steps: 10, batch: 3, packing: null, validationSamples: 4 },
    samples: SAMPLES,
  };
  switch (stage) {
    case "autoencoder":
      return {
        ...{ ...shared, ...captioned },
        resolution: SIDE,
        autoencoder: AUTOENCODER,
        phases: [
          { crop: 16, batch: 4, steps: 6 },
          { crop: 32, batch: 2, steps: 4 },
        ],
      };
    case "model":
      return {
        ...{ ...shared, ...rows },
        autoencoder: join(start, "vae"),
        textTokenizer: { tokens: 280 },
        model: MODEL,
      };
    case "adapter":
      return { ...shared, ...rows, base: start, adapter: { ...ADAPTER, dropout: 0.1 } };
    case "preference":
      return {
        ...{ ...shared, base: start, pairs, validationPairs: pairs, adapter: ADAPTER },
        ...{ steps: 10, batch: 2, samples: SAMPLES },
      };
    case "reward":
      return {
        ...shared,
        loop: { ...shared.loop, accumulate: 1 },
        ...{ base: start, adapter: ADAPTER, steps: 6, reward: { name: reward } },
        ...{ prompts: ["a red square", "a blue square"], validationPrompts: ["a green square"] },
        ...{
          validationPictures: 2,
          groups: { prompts: 2, size: 2 },
          rollout: { steps: 3 },
          samples: SAMPLES,
        },
      };
  }
}
