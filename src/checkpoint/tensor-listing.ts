/** @file The tensors of a file or folder as a list, counted by the part of the model that they belong to. */
import type { TensorSource } from "../formats/tensor-source.ts";
import type { DType } from "../tensor/dtype.ts";
import { byteLength, elementCount } from "../tensor/shape.ts";
import { officialModelName } from "./official-names.ts";
import type { TensorSet } from "./tensor-set.ts";

export interface ListedTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Numbers of the model that it stands for; all those of a matrix in blocks are the packed integers'. */
  readonly parameters: number;
}

/** Parts in the order in which a token meets them (docs/nextstep-spec.md 1.5 and 1.6). */
const PARTS: readonly (readonly [part: string, names: RegExp])[] = [
  ["embeddings", /^embed_tokens\./],
  ["backbone", /^(?:layers\.\d+|norm)\./],
  ["lm head", /^(?:before_)?lm_head\./],
  ["projectors", /^image_(?:in|out)_projector\./],
  ["image head", /^image_head\./],
  ["generation positions", /^gen_pos_embed$/],
  ["autoencoder encoder", /^encoder\./],
  ["autoencoder decoder", /^decoder\./],
];
const OTHER = "other";

export interface PartCount {
  readonly part: string;
  readonly tensors: number;
  /** Numbers that the part is made of. */
  readonly parameters: number;
}

/** Tensors of an open file under their stored names. */
export function listStored(source: TensorSource): ListedTensor[] {
  return Array.from(source.tensors, ([name, { dtype, shape }]) => listed(name, dtype, shape));
}

/** Tensors of an open set under their official names. */
export function listNamed(tensors: TensorSet): ListedTensor[] {
  const ofParts = new Map<string, number>();
  for (const { shape, parts } of tensors.quantized?.matrices.values() ?? []) {
    parts.forEach(({ name }, i) => {
      ofParts.set(name, i === 0 ? elementCount(shape) : 0);
    });
  }
  return Array.from(tensors.entries.values(), ({ name, dtype, shape }) =>
    listed(name, dtype, shape, ofParts.get(name)),
  );
}

function listed(
  name: string,
  dtype: DType,
  shape: readonly number[],
  parameters = elementCount(shape),
): ListedTensor {
  return { name, dtype, shape, bytes: byteLength(dtype, shape), parameters };
}

/** The part of a model that a tensor of an official name belongs to. */
export function partOf(name: string): string {
  return PARTS.find(([, names]) => names.test(name))?.[0] ?? OTHER;
}

/** Parameters by part; parts without any are left out. */
export function countParts(tensors: readonly ListedTensor[]): PartCount[] {
  const counts = new Map<string, { tensors: number; parameters: number }>();
  for (const { name, parameters } of tensors) {
    const part = partOf(officialModelName(name).name);
    const count = counts.get(part) ?? { tensors: 0, parameters: 0 };
    count.tensors++;
    count.parameters += parameters;
    counts.set(part, count);
  }
  return [...PARTS.map(([part]) => part), OTHER].flatMap((part) => {
    const count = counts.get(part);
    return count === undefined ? [] : [{ part, ...count }];
  });
}
