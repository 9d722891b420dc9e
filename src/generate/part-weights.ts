/** @file What the weights of each part of a model take in memory, by their names, shapes and formats: nothing is traced. */
import type { NextStepConfig } from "../model/config.ts";
import type { ParameterSpec } from "../model/parameter-scope.ts";
import { packedShapes, type WeightFormat, type WeightPlan } from "../model/weight-format.ts";
import { bytesPerElement } from "../tensor/dtype.ts";
import { elementCount } from "../tensor/shape.ts";

/** Weights as they are listed, and as they are stored. */
export interface ListedWeights {
  readonly parameters: readonly ParameterSpec[];
  readonly weightPlan: WeightPlan;
}

/** Parts that are bound each by itself, by the names that ModelSessions has for them. */
export const WEIGHT_PARTS = ["transformer", "image head", "lm head", "encoder", "decoder"] as const;
export type WeightPart = (typeof WEIGHT_PARTS)[number];

/** Whose graphs ask for which weights; the vocabulary's table belongs to none, unless it is the LM head. */
const NAMES: Readonly<Record<WeightPart, RegExp>> = {
  transformer: /^(?:layers\.\d+|norm|image_in_projector)\./,
  "image head": /^image_(?:head|out_projector)\./,
  "lm head": /^(?:before_)?lm_head\./,
  encoder: /^encoder\./,
  decoder: /^decoder\./,
};
const TIED_LM_HEAD = /^(?:before_lm_head|embed_tokens)\./;

/** Scales stay where they are mapped, and the engine makes two more of their kind as it packs. */
const SCALE_COPIES = 3;

/** The weights that a part's graph asks for. */
export function partParameters(
  part: WeightPart,
  parameters: readonly ParameterSpec[],
  { tieWordEmbeddings }: Pick<NextStepConfig, "tieWordEmbeddings">,
): ParameterSpec[] {
  const names = part === "lm head" && tieWordEmbeddings ? TIED_LM_HEAD : NAMES[part];
  return parameters.filter(({ name }) => names.test(name));
}

/** Bytes of weights once the engine has packed them: all floats as float32. */
export function boundBytes(parameters: readonly ParameterSpec[], plan: WeightPlan): number {
  return parameters.reduce(
    (sum, { name, shape }) => sum + bytesOf(shape, plan(name), { scaleCopies: SCALE_COPIES, widened: true }),
    0,
  );
}

/** Bytes of weights as the graph takes them, on their way to the engine. */
export function storedBytes(parameters: readonly ParameterSpec[], plan: WeightPlan): number {
  return parameters.reduce(
    (sum, { name, shape }) => sum + bytesOf(shape, plan(name), { scaleCopies: 1, widened: false }),
    0,
  );
}

interface Holding {
  /** How often scales are there. */
  readonly scaleCopies: number;
  /** Whether floats of 16 bits are float32. */
  readonly widened: boolean;
}

function bytesOf(shape: readonly number[], format: WeightFormat, { scaleCopies, widened }: Holding): number {
  const [outputs, inputs] = shape;
  if (typeof format !== "object" || outputs === undefined || inputs === undefined || shape.length !== 2) {
    const isFloat32 = widened || typeof format === "object";
    return elementCount(shape) * bytesPerElement(isFloat32 ? "float32" : format);
  }
  const { packed, scales, zeroPoints } = packedShapes(format, outputs, inputs);
  const offsets = format.symmetric ? 0 : elementCount(zeroPoints);
  return elementCount(packed) + offsets + scaleCopies * bytesPerElement("float32") * elementCount(scales);
}
