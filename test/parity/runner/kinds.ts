/** @file The kinds of parity cases there are. */
import { runBackboneCase } from "./backbone-case.ts";
import { runBucketsCase } from "./buckets-case.ts";
import { runHeadCase } from "./head-case.ts";
import { runPackingCase } from "./packing-case.ts";
import { runPictureCase } from "./picture-case.ts";
import { runPromptsCase } from "./prompts-case.ts";
import type { KindRunner } from "./run-parity.ts";
import { runSamplerCase } from "./sampler-case.ts";
import { runTextCase } from "./text-case.ts";
import { runTokenizerCase } from "./tokenizer-case.ts";
import { runTrainCase } from "./train-case.ts";
import { runVaeCase } from "./vae-case.ts";

export const KIND_RUNNERS: ReadonlyMap<string, KindRunner> = new Map<string, KindRunner>([
  ["backbone", runBackboneCase],
  ["buckets", runBucketsCase],
  ["edit", runPictureCase],
  ["head", runHeadCase],
  ["packing", runPackingCase],
  ["prompts", runPromptsCase],
  ["sampler", runSamplerCase],
  ["t2i", runPictureCase],
  ["text", runTextCase],
  ["tokenizer", runTokenizerCase],
  ["train", runTrainCase],
  ["vae", runVaeCase],
]);
