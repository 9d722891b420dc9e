/** @file Weights of a model under their official names, each read from disk only when it is asked for. */
import { ModelFormatError } from "../errors.ts";
import type { Unchanged } from "../formats/byte-source.ts";
import type { RowRange, StoredTensor, TensorSource, TensorToWrite } from "../formats/tensor-source.ts";
import { packedWeightOf, type WeightPlan } from "../model/weight-format.ts";
import type { WeightSource } from "../runtime/engine.ts";
import type { DType } from "../tensor/dtype.ts";
import { type Tensor, toFloat32 } from "../tensor/tensor.ts";
import type { QuantizedWeights } from "./quantized/quantized-weights.ts";

/** One weight, not yet read. */
export interface NamedTensor {
  /** Official name, e.g. `layers.0.mlp.up_proj.weight` (docs/nextstep-spec.md 1.5 and 1.6). */
  readonly name: string;
  readonly dtype: DType;
  /** Shape under the official name; holds as many elements as the stored one. */
  readonly shape: readonly number[];
  readonly storedName: string;
  readonly stored: StoredTensor;
}

/** How a stored name reads officially; `shape` where that differs too. */
export interface OfficialName {
  readonly name: string;
  readonly shape?: readonly number[];
}

/** A source of tensors, seen through the official names. Owns the source. */
export class TensorSet {
  readonly name: string;
  /** In the order of the file. */
  readonly entries: ReadonlyMap<string, NamedTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  /** The weights that are stored in blocks, if any are; `entries` has the tensors that they are made of. */
  readonly quantized: QuantizedWeights | undefined;
  readonly #source: TensorSource;

  /** @throws ModelFormatError when two stored tensors mean the same official one. */
  constructor(
    source: TensorSource,
    officialName: (storedName: string, stored: StoredTensor) => OfficialName = (name) => ({ name }),
    quantized?: QuantizedWeights,
  ) {
    this.name = source.name;
    this.metadata = source.metadata;
    this.#source = source;
    this.quantized = quantized;
    const entries = new Map<string, NamedTensor>();
    for (const [storedName, stored] of source.tensors) {
      const { name, shape = stored.shape } = officialName(storedName, stored);
      const twin = entries.get(name);
      if (twin !== undefined) {
        throw new ModelFormatError(`"${storedName}" and "${twin.storedName}" both stand for "${name}"`, {
          where: source.name,
          remedy: "keep one of them",
        });
      }
      entries.set(name, { name, dtype: stored.dtype, shape, storedName, stored });
    }
    this.entries = entries;
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** Looks up a weight. @throws ModelFormatError if there is none of that name. */
  entry(name: string): NamedTensor {
    const entry = this.entries.get(name);
    if (entry === undefined) throw new ModelFormatError(`has no tensor "${name}"`, { where: this.name });
    return entry;
  }

  /** One weight as it is stored, or some of its rows, row-major, under its official shape. */
  async readStored(name: string, rows?: RowRange): Promise<Tensor> {
    const { storedName, shape } = this.entry(name);
    const { dtype, data } = await this.#source.readTensor(storedName, rows);
    return { dtype, shape: rows === undefined ? shape : [rows.count, ...shape.slice(1)], data };
  }

  /** One weight, or some of its rows, widened to float32, row-major. The only copy: nothing is kept here. */
  async read(name: string, rows?: RowRange): Promise<Float32Array> {
    if (this.quantized?.matrices.has(name)) return this.quantized.dequantize(name, rows);
    return toFloat32(await this.readStored(name, rows));
  }

  /** @throws DataFormatError when a file is no longer as it was when its header was read. */
  async checkUnchanged(what: Unchanged): Promise<void> {
    await this.#source.checkUnchanged(what);
  }

  /**
   * For `Engine.createSession`: binds each parameter to the weight of its name, which the engine reads for itself
   * where it lies in a file without gaps.
   */
  get weightSource(): WeightSource {
    const { quantized } = this;
    return (port) => {
      const { name } = port;
      if (quantized?.matrices.has(packedWeightOf(name))) return quantized.weightSource(port);
      const { dtype, storedName, stored } = this.entry(name);
      const file = this.#source.fileOf(storedName);
      if (file === undefined || !stored.contiguous) return this.readStored(name);
      return { dtype, file, offset: stored.begin, length: stored.end - stored.begin };
    };
  }

  /** Blocks and 16-bit weights as they are stored, all else as float32: nothing is widened before it is bound. */
  get weightPlan(): WeightPlan {
    return (name) => {
      const matrix = this.quantized?.matrices.get(name);
      if (matrix !== undefined) return matrix.format;
      const dtype = this.entries.get(name)?.dtype;
      return dtype === "float16" || dtype === "bfloat16" ? dtype : "float32";
    };
  }

  /** Every tensor, to be written under its official name. The set must stay open meanwhile. */
  toWrite(): TensorToWrite[] {
    return Array.from(this.entries.values(), ({ name, dtype, shape, stored }) => ({
      name,
      dtype,
      shape,
      ...(stored.strides === undefined ? {} : { strides: stored.strides }),
      load: () => this.readStored(name),
    }));
  }

  async close(): Promise<void> {
    await this.#source.close();
  }
}
