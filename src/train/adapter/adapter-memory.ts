/**
 * @file What training an adapter takes in memory, from the model, the settings and the sizes of an update alone, before
 * anything is bound. Good to a quarter: docs/adapters.md compares it with what was measured.
 */
import type { ModelFolder } from "../../checkpoint/model-folder.ts";
import { InsufficientMemoryError } from "../../errors.ts";
import { gigabytes } from "../../formats/gigabytes.ts";
import type { AvailableMemory } from "../../generate/memory-check.ts";
import { boundBytes } from "../../generate/part-weights.ts";
import { activationBytes } from "../../graph/activation-memory.ts";
import { gradients } from "../../graph/gradient.ts";
import type { NextStepConfig } from "../../model/config.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import type { LossGraph } from "../objective/gradient-session.ts";
import { trainingGraph } from "../objective/training-graph.ts";

const MIB = 2 ** 20;
/** Node, this program, the engine's libraries, the tokenizer, and encoding the pictures. */
const PROGRAM_BYTES = 300 * MIB;
/** Weights, gradients and two moments; and a copy while a checkpoint is written. */
const STATE_COPIES = 5;
/** What the engine's arena holds for values that take 1 at most, and its plan of the shapes that come again. */
const ARENA_FACTOR = 1.5;
/** Text of an average caption, which is padded to the longest of its batch. */
const TEXT_TOKENS = 24;
/** Matrices are there as they are stored, for the gradient's products, and packed for the others. */
export const BASE_COPIES = 2;

export interface AdapterUpdate {
  readonly rows: number;
  /** Of the largest picture. */
  readonly imageTokens: number;
  /** Trained numbers. */
  readonly parameters: number;
  /** Whether held-out samples are looked at, in a session of their own. */
  readonly validates: boolean;
  readonly gradientCheckpointing: boolean;
}

/** In bytes. */
export interface TrainingMemory {
  readonly base: number;
  readonly state: number;
  readonly activations: number;
  readonly peak: number;
}

/** Sizes of an update, for rows of one picture each and a caption of average length. */
export function updateSizes(rows: number, imageTokens: number): Map<string, number> {
  const tokens = imageTokens + TEXT_TOKENS;
  const images = rows * imageTokens;
  const texts = rows * TEXT_TOKENS;
  return new Map([
    ["rows", rows],
    ["tokens", tokens],
    ["positions", tokens],
    ["texts", texts],
    ["images", images],
    ["predictions", images],
    ["lm", texts],
    ["factors", 0],
  ]);
}

/**
 * What training takes.
 * @param base bytes of weights that are bound
 * @param trained numbers
 */
export function trainingMemory(
  { base, trained }: { readonly base: number; readonly trained: number },
  { loss, parameters }: LossGraph,
  sizes: ReadonlyMap<string, number>,
): TrainingMemory {
  const state = STATE_COPIES * trained * Float32Array.BYTES_PER_ELEMENT;
  // The engine has the gradients of a layer's weights computed before it goes on to the layer in front.
  const values = activationBytes([loss, ...gradients(loss, parameters).reverse()], sizes);
  const activations = values * ARENA_FACTOR;
  return { base, state, activations, peak: PROGRAM_BYTES + base + state + activations };
}

export function adapterMemory(
  { parameters, tensors }: Pick<ModelFolder, "parameters" | "tensors">,
  model: NextStepConfig,
  network: FrozenBase,
  { rows, imageTokens, parameters: trained, validates, gradientCheckpointing }: AdapterUpdate,
): TrainingMemory {
  const parts = { images: true, imageLoss: true, maskPerRow: true };
  const graph = trainingGraph(model, parts, network, { gradientCheckpointing });
  const bound = boundBytes(parameters, tensors.weightPlan);
  const base = bound * BASE_COPIES + (validates ? bound : 0);
  return trainingMemory({ base, trained }, graph, updateSizes(rows, imageTokens));
}

/**
 * @param remedy what would make it less
 * @throws InsufficientMemoryError with what is needed, and for what.
 */
export function refuseTooLarge(
  memory: TrainingMemory,
  { bytes, of }: AvailableMemory,
  remedy = "set gradientCheckpointing, lower batch or imageSize",
): void {
  if (memory.peak <= bytes) return;
  throw new InsufficientMemoryError(
    `training takes about ${gigabytes(memory.peak)} (the model ${gigabytes(memory.base)}, an update ${gigabytes(memory.activations)}), and ${gigabytes(bytes)} of ${of} are free`,
    {
      where: "memory",
      needed: memory.peak,
      available: bytes,
      remedy: `${remedy}, convert the base to 4 bits (\`nextstep convert\`), or set checkMemory to false if the estimate is wrong here`,
    },
  );
}
