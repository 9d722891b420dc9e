/** @file Weights that a checkpoint stores as integers in blocks, whatever the layout: what its reader says of them. */
import type { RowRange } from "../../formats/tensor-source.ts";
import type { ParameterSpec } from "../../model/parameter-scope.ts";
import type { BlockFormat } from "../../model/weight-format.ts";
import type { WeightSource } from "../../runtime/engine.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** A stored tensor that a matrix is made of, as its layout wants it. */
export interface QuantizedPart {
  /** Official name. */
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** A matrix of the model that is stored in blocks. */
export interface QuantizedMatrix {
  /** What it stands for. */
  readonly shape: readonly [outputs: number, inputs: number];
  /** In which it is bound. */
  readonly format: BlockFormat;
  /** Whether they are there, and so, is checked with all other tensors. */
  readonly parts: readonly QuantizedPart[];
}

/** The matrices of a checkpoint that are stored in blocks. All other weights are floats under their own names. */
export interface QuantizedWeights {
  /** Method and, where it has several, layout: for people. */
  readonly layout: string;
  /** By the official name of the float weight, e.g. `layers.0.mlp.up_proj.weight`. */
  readonly matrices: ReadonlyMap<string, QuantizedMatrix>;
  /** Of the settings: without effect here, and not known to have none. */
  readonly unknownKeys?: readonly string[];
  /**
   * Source of the parameters that stand for the matrices (packed integers, scales, zero points). What has to be
   * repacked is so while it is bound, one matrix at a time, and never rounded again.
   */
  readonly weightSource: WeightSource;
  /** What a matrix, or some of its rows, is exactly, in float32. [outputs, inputs] */
  dequantize(name: string, rows?: RowRange): Promise<Float32Array>;
}

/** The stored tensors of a checkpoint under official names, each read when it is asked for. */
export interface StoredTensors {
  /** For messages. */
  readonly name: string;
  readonly entries: ReadonlyMap<string, { readonly dtype: DType; readonly shape: readonly number[] }>;
  readStored(name: string, rows?: RowRange): Promise<Tensor>;
  /** Where a tensor lies, for parameters that are stored as they are bound. */
  readonly weightSource: WeightSource;
}

/** What the reader of a layout is given. */
export interface QuantizedCheckpoint {
  /** `quantization_config` of config.json; nobody vouches for it. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** For messages: where `settings` stands. */
  readonly where: string;
  readonly tensors: StoredTensors;
  /** Every weight of the model, by official name and float shape. */
  readonly parameters: readonly ParameterSpec[];
}

/**
 * Reads the settings of one layout; tensors are compared with its `parts` afterwards.
 * @throws ModelFormatError or UnsupportedError for settings that are wrong or not known here.
 */
export type LayoutReader = (checkpoint: QuantizedCheckpoint) => QuantizedWeights | Promise<QuantizedWeights>;
