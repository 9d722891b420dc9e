/** @file First weights of a model: new ones, or those of a checkpoint with new ones where it has none. */
import { ConfigError } from "../../errors.ts";
import type { ParameterSpec } from "../../model/parameter-scope.ts";
import { type Trainable, trainable } from "../optimizer/trainable.ts";
import { randomFor } from "../step-random.ts";

/** The published `initializer_range`. */
const STANDARD_DEVIATION = 0.02;

/**
 * A new weight (docs/nextstep-spec.md 1.5): norms 1; biases, modulations of the head and its last layer 0; other
 * matrices of the head xavier-uniform; everything else normal with deviation 0.02. It depends on the seed and its own
 * name alone.
 */
function initialWeight({ name, shape }: ParameterSpec, seed: number): Float32Array {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  if (name.endsWith(".bias")) return data;
  if (shape.length === 1) return data.fill(1);
  const inHead = name.startsWith("image_head.net.");
  if (inHead && /adaLN_modulation|final_layer\.linear/.test(name)) return data;
  const rng = randomFor(seed, name);
  if (inHead && !name.includes("time_embed")) {
    const bound = Math.sqrt(6 / (shape[0]! + shape[1]!));
    rng.fillUniform(data);
    for (let i = 0; i < data.length; i++) data[i] = (2 * data[i]! - 1) * bound;
    return data;
  }
  rng.fillNormal(data);
  for (let i = 0; i < data.length; i++) data[i] = STANDARD_DEVIATION * data[i]!;
  return data;
}

/** What is read of the model folder that training starts from. */
export interface StartModel {
  readonly tensors: {
    /** By official name. */
    readonly entries: ReadonlyMap<string, { readonly shape: readonly number[] }>;
    read(name: string): Promise<Float32Array>;
  };
}

/** The image modules, which the start weights of a language model lack. */
const IMAGE_MODULES = /^image_(in_projector|out_projector|head)\.|^before_lm_head\./;

/**
 * All weights of a model.
 * @param start where present weights are taken from. Tables of fewer rows than the vocabulary needs are continued with
 * new rows.
 * @throws ConfigError when a weight of another shape, or none at all, is found for a part that is not an image module, or a
 * layer of the start has no place in the model.
 */
export async function initialModelWeights(
  parameters: readonly ParameterSpec[],
  seed: number,
  start?: StartModel,
): Promise<Trainable[]> {
  const known = new Set(parameters.map(({ name }) => name));
  const dropped = [...(start?.tensors.entries.keys() ?? [])].find(
    (name) => /\.\d+\./.test(name) && !known.has(name),
  );
  if (dropped !== undefined) {
    throw new ConfigError("is among the start weights and has no place in the model", {
      where: dropped,
      remedy: "leave out numbers of layers of the model that are less than the start's",
    });
  }
  const weights: Trainable[] = [];
  for (const spec of parameters) {
    const { name, shape } = spec;
    const data = initialWeight(spec, seed);
    const entry = start?.tensors.entries.get(name);
    if (start !== undefined && entry !== undefined) {
      const grows = isVocabularyTable(name) && entry.shape[1] === shape[1] && entry.shape[0]! <= shape[0]!;
      if (!grows && entry.shape.join() !== shape.join()) {
        throw new ConfigError(`start weights have [${entry.shape}] where the model has [${shape}]`, {
          where: name,
          remedy: "leave out sizes of the model that differ from the start's",
        });
      }
      data.set(await start.tensors.read(name));
    } else if (start !== undefined && !IMAGE_MODULES.test(name)) {
      throw new ConfigError("is not among the start weights", { where: name });
    }
    weights.push(trainable(name, shape, data));
  }
  return weights;
}

function isVocabularyTable(name: string): boolean {
  return name === "embed_tokens.weight" || name === "lm_head.weight";
}
