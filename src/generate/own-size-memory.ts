/** @file What drawing takes of memory when a model is told nothing but a prompt: for those who choose a model. */
import type { MemoryInspection } from "../checkpoint/inspection.ts";
import type { ModelFolder } from "../checkpoint/model-folder.ts";
import { pixelsPerLatent } from "../model/autoencoder-config.ts";
import { PROMPT_CHUNK } from "./cached-rows.ts";
import { memoryOf } from "./memory-check.ts";
import { MemoryEstimator } from "./memory-estimate.ts";

/** With guidance, and without. */
const ROWS = 2;

/** Of one picture of the size that the model was made for, behind a short prompt; undefined for what cannot draw. */
export function ownSizeMemory(folder: ModelFolder): MemoryInspection | undefined {
  const model = memoryOf(folder);
  if (model === undefined || !folder.hasImageModules) return undefined;
  const { latentSize, latentPatchSize } = model.config;
  const tokens = Math.max(1, Math.floor(latentSize / latentPatchSize));
  const side = tokens * latentPatchSize * pixelsPerLatent(model.autoencoder.config);
  const { opening, drawing, peak } = new MemoryEstimator(model).estimate({
    grid: [tokens, tokens],
    pictures: 1,
    rows: ROWS,
    promptTokens: PROMPT_CHUNK,
  });
  return { width: side, height: side, repacked: model.repacked, opening, drawing, peak };
}
