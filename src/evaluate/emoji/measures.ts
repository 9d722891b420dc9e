/** @file The names of what can be measured, and the fixed choices: seed, how many pictures, words of edits. */
import { z } from "zod";
import settingsJson from "./evaluation-settings.json" with { type: "json" };

export const MEASURES = [
  "retrieval",
  "kernel-distance",
  "edges",
  "residue",
  "background",
  "counting",
  "objects",
  "edits",
  "avatars",
  "captions",
  "tokenizer",
] as const;
export type Measure = (typeof MEASURES)[number];

/** Those of a picture of one subject on white. */
export const SINGLE_MEASURES = [
  "retrieval",
  "kernel-distance",
  "edges",
  "residue",
] as const satisfies Measure[];

/** What needs the feature net, in words: left out without it. */
export const NET_MEASURES: Readonly<Partial<Record<Measure, string>>> = {
  retrieval: "retrieval by net",
  "kernel-distance": "kernel distance",
  counting: "count and subject by net",
  objects: "two objects, position and things in place by net",
  edits: "style edits by net",
};

const settingsSchema = z.strictObject({
  seed: z.int().nonnegative(),
  /** Pictures of a group whose share is 1. */
  count: z.int().positive(),
  shares: z.strictObject({
    singles: z.number().positive(),
    styles: z.number().positive(),
    backgrounds: z.number().positive(),
    counting: z.number().positive(),
    pairs: z.number().positive(),
    groups: z.number().positive(),
    mainEdits: z.number().positive(),
    otherEdits: z.number().positive(),
    avatars: z.number().positive(),
    captions: z.number().positive(),
    tokenizer: z.number().positive(),
  }),
  /** Of edits that the data has no captions for; `{}` stands for the colour or style. */
  instructions: z.strictObject({ background: z.string(), style: z.string(), mirror: z.string() }),
});

/** Committed: figures of different models are comparable when these are the same. */
export const EVALUATION_SETTINGS = settingsSchema.parse(settingsJson);
export type GroupShare = keyof typeof EVALUATION_SETTINGS.shares;
