/** @file Config of reward learning. The defaults are published ones where there are some. */
import { z } from "zod";
import { DEFAULT_NOISE_LEVEL } from "../../generate/solvers.ts";
import { adapterSchema } from "../adapter/adapter-train-config.ts";
import { adamWSchema, engineSchema, loopSchema } from "../loop/train-config.ts";
import { sampleSchema } from "../model/model-train-config.ts";

/** Texts, or a file with one a line. */
const promptsSchema = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);

/** What pictures are scored by. */
const rewardSchema = z.strictObject({
  /** As `nextstep prefer --reward` takes it: "count", "likeness:cup.png", "command:python score.py". */
  name: z.string().min(1),
  /** Folder that `nextstep data emoji` made, for rewards that know its things; null: none. */
  data: z.string().min(1).nullable().default(null),
  /** Weights of the net by whose features pictures are compared; null: by shape and colour. */
  features: z.string().min(1).nullable().default(null),
});

const groupsSchema = z.strictObject({
  /** Prompts of an update, a group of pictures each. */
  prompts: z.int().min(1).default(4),
  /** Pictures of a group, compared with each other. */
  size: z.int().min(2).max(1024).default(16),
  /** Groups with a larger mean reward are rejected; null: none is for that. */
  maxMean: z.number().nullable().default(null),
  /** Groups whose rewards have a standard deviation of no more than this are rejected. */
  minSpread: z.number().min(0).default(0),
});

const rolloutSchema = z.strictObject({
  /** Solver steps of a token. The last one draws no noise, so that it is never learnt from. */
  steps: z.int().min(2).max(200).default(20),
  /** Timestep shift of the solver. */
  shift: z.number().positive().default(1),
  /** Of the sampler `cps`: how much of the noise of each step is fresh, above 0 to 1. */
  noiseLevel: z.number().positive().max(1).default(DEFAULT_NOISE_LEVEL),
  /** Pictures that are drawn at once; changes memory and time, and no bit. */
  together: z.int().min(1).default(64),
});

export const rewardTrainConfigSchema = z.strictObject({
  /** Run folder: checkpoints, samples, log and what is trained. */
  output: z.string().min(1),
  /** Folder of the model that is taught; with an adapter in any format, its weights are not changed. */
  base: z.string().min(1),
  /** Beside the base, without dropout, which pictures are not drawn with; null: all weights that draw are trained. */
  adapter: adapterSchema.omit({ dropout: true }).nullable().default(null),
  reward: rewardSchema,
  prompts: promptsSchema,
  /** Prompts that are not trained on; null for no validation. */
  validationPrompts: promptsSchema.nullable().default(null),
  /** Pictures of each of them. */
  validationPictures: z.int().min(1).default(4),
  /** Sides of a picture, in pixels; null: the size that the base was trained on. */
  imageSize: z.int().positive().multipleOf(16).nullable().default(null),
  seed: z.int().min(0).default(42),
  /** Updates; each draws its own pictures. */
  steps: z.int().positive(),
  groups: groupsSchema.prefault({}),
  rollout: rolloutSchema.prefault({}),
  /**
   * Solver steps of an update that are learnt from, drawn anew for each; null: all but the last. What they cost is the image
   * head and its memory, since the backbone runs once for all of them.
   */
  replaySteps: z.int().min(1).nullable().default(null),
  /** Weight of the distance to the base in the loss; 0: nothing pulls. */
  pull: z.number().min(0).default(0),
  /** Of each backbone layer, the replay holds only what went into it. May change when a run is continued. */
  gradientCheckpointing: z.boolean().default(false),
  optimizer: adamWSchema.extend({ weightDecay: z.number().min(0).default(0) }).prefault({}),
  /** An update takes minutes, so that all periods are shorter than in other training. */
  loop: loopSchema
    .extend({
      validateEvery: z.int().min(0).default(20),
      sampleEvery: z.int().min(0).default(20),
      saveEvery: z.int().min(0).default(10),
    })
    .prefault({}),
  engine: engineSchema.prefault({}),
  samples: sampleSchema.prefault({}),
  /** Refuses to begin what would take more memory than there is. */
  checkMemory: z.boolean().default(true),
});

export type RewardTrainConfig = z.infer<typeof rewardTrainConfigSchema>;
