/** @file What a thread does: rows of a matrix into blocks, and how far off they are then. */
import { ModelFormatError } from "../errors.ts";
import {
  type BlockFit,
  dequantizeBlocks,
  type PackedBlocks,
  quantizeBlocks,
} from "../model/block-quantization.ts";
import type { BlockFormat } from "../model/weight-format.ts";
import type { DType, TypedArray } from "../tensor/dtype.ts";
import { toFloat32 } from "../tensor/tensor.ts";

export interface RowsToQuantize {
  /** For messages. */
  readonly name: string;
  readonly dtype: DType;
  /** [rows, inputs] */
  readonly data: TypedArray;
  readonly rows: number;
  readonly inputs: number;
  readonly format: BlockFormat;
  readonly fit: BlockFit;
}

/** Sums over weights. */
export interface RoundingError {
  /** Of the squared differences. */
  readonly squaredError: number;
  /** Of the squared weights. */
  readonly squaredTotal: number;
}

export interface QuantizedRows extends RoundingError {
  readonly blocks: PackedBlocks;
}

/** @throws ModelFormatError for numbers that are not finite. */
export function quantizeRows({
  name,
  dtype,
  data,
  rows,
  inputs,
  format,
  fit,
}: RowsToQuantize): QuantizedRows {
  const values = toFloat32({ dtype, shape: [rows, inputs], data });
  const blocks = quantizeBlocks(values, rows, inputs, format, fit);
  const kept = dequantizeBlocks(blocks, rows, inputs, format);
  let squaredError = 0;
  let squaredTotal = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    const difference = value - (kept[i] as number);
    squaredError += difference * difference;
    squaredTotal += value * value;
  }
  if (!Number.isFinite(squaredTotal)) {
    throw new ModelFormatError("holds numbers that are not finite", {
      where: `tensor "${name}"`,
      remedy: "the weights are damaged: fetch them again",
    });
  }
  return { blocks, squaredError, squaredTotal };
}
