/** @file The weights of a model folder with those in their place that are being trained, as a file of weights would be read. */
import { TensorSet } from "../../checkpoint/tensor-set.ts";
import { ModelFormatError } from "../../errors.ts";
import { type RowRange, rowsOf, type StoredTensor, type TensorSource } from "../../formats/tensor-source.ts";
import { elementCount } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { NamedBuffer } from "../optimizer/trainable.ts";

/** What is trained is read from memory, as it is when it is asked for; all else where it is stored. */
export function withTrained(base: TensorSet, trained: readonly NamedBuffer[]): TensorSet {
  return new TensorSet(new TrainedSource(base, trained));
}

class TrainedSource implements TensorSource {
  readonly name: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata = new Map<string, string>();
  readonly #base: TensorSet;
  readonly #trained: ReadonlyMap<string, NamedBuffer>;

  constructor(base: TensorSet, trained: readonly NamedBuffer[]) {
    this.name = base.name;
    this.#base = base;
    this.#trained = new Map(trained.map((weight) => [weight.name, weight]));
    this.tensors = new Map(
      [...base.entries].map(([name, { stored, shape }]) => [
        name,
        this.#trained.has(name) ? inMemory(this.name, shape) : { ...stored, shape },
      ]),
    );
  }

  async readTensor(name: string, rows?: RowRange): Promise<Tensor> {
    const own = this.#trained.get(name);
    if (own === undefined) return this.#base.readStored(name, rows);
    const stored = this.tensors.get(name);
    if (stored === undefined) throw new ModelFormatError(`has no tensor "${name}"`, { where: this.name });
    const { begin, end, shape } = rowsOf(stored, rows, name);
    const bytes = Float32Array.BYTES_PER_ELEMENT;
    return { dtype: "float32", shape, data: own.data.subarray(begin / bytes, end / bytes) };
  }

  fileOf(): undefined {
    return undefined;
  }

  async checkUnchanged(what: Parameters<TensorSet["checkUnchanged"]>[0]): Promise<void> {
    await this.#base.checkUnchanged(what);
  }

  async close(): Promise<void> {}
}

function inMemory(file: string, shape: readonly number[]): StoredTensor {
  const end = Float32Array.BYTES_PER_ELEMENT * elementCount(shape);
  return { dtype: "float32", shape, file, begin: 0, end, contiguous: true };
}
