/** @file Matrices of the GPTQ family, repacked to the engine's blocks while they are bound: one at a time, none rounded. */
import { ModelFormatError, UnsupportedError } from "../../errors.ts";
import type { RowRange } from "../../formats/tensor-source.ts";
import { dequantizeBlocks } from "../../model/block-quantization.ts";
import { packedShapes, packedWeightOf, scalesName, zeroPointsName } from "../../model/weight-format.ts";
import type { StoredWeight } from "../../runtime/engine.ts";
import { bytesOf } from "../../tensor/dtype.ts";
import { toFloat32 } from "../../tensor/tensor.ts";
import { transposeNibbles, transposeWords, unpackZeros } from "./packed-words.ts";
import type { QuantizedMatrix, StoredTensors } from "./quantized-weights.ts";

/** How integers lie in the words, and what a stored zero point means. */
export interface WordLayout {
  /** For people, e.g. `gptq`. */
  readonly title: string;
  /** `inputs`: a word holds consecutive inputs (GPTQ); `outputs`: eight outputs in AWQ's order. */
  readonly along: "inputs" | "outputs";
  /** What has to be added to a stored zero point: 1 for the first GPTQ format. */
  readonly zeroOffset: 0 | 1;
}

/** A matrix whose integers share a scale in groups of inputs. */
export interface GroupedMatrix extends QuantizedMatrix {
  readonly module: string;
  /** Inputs that share a scale, at most all of a row. */
  readonly groupSize: number;
  readonly groups: number;
}

/** Repacks one part of one matrix whenever it is asked for; keeps nothing. */
export class GroupedSource {
  readonly #tensors: StoredTensors;
  readonly #matrices: ReadonlyMap<string, GroupedMatrix>;
  readonly #layout: WordLayout;

  constructor(tensors: StoredTensors, matrices: ReadonlyMap<string, GroupedMatrix>, layout: WordLayout) {
    this.#tensors = tensors;
    this.#matrices = matrices;
    this.#layout = layout;
  }

  /** A parameter that stands for a matrix: integers, scales or zero points. */
  async bind(parameter: string): Promise<StoredWeight> {
    const weight = packedWeightOf(parameter);
    const matrix = this.#matrix(weight);
    if (parameter === scalesName(weight)) return this.#scales(matrix);
    if (parameter === zeroPointsName(weight)) return { dtype: "uint8", data: await this.#zeroPoints(matrix) };
    return { dtype: "uint8", data: await this.#integers(matrix) };
  }

  /** Rows lie across the words: for some of them, all is repacked. */
  async dequantize(weight: string, rows?: RowRange): Promise<Float32Array> {
    const matrix = this.#matrix(weight);
    const { shape, format } = matrix;
    const packed = {
      packed: await this.#integers(matrix),
      scales: await this.#scales(matrix),
      zeroPoints: format.symmetric ? undefined : await this.#zeroPoints(matrix),
    };
    const [outputs, inputs] = shape;
    const { first, count } = rows ?? { first: 0, count: outputs };
    return dequantizeBlocks(packed, outputs, inputs, format).subarray(
      first * inputs,
      (first + count) * inputs,
    );
  }

  #matrix(weight: string): GroupedMatrix {
    const matrix = this.#matrices.get(weight);
    if (matrix === undefined)
      throw new ModelFormatError(`has no matrix "${weight}"`, { where: this.#tensors.name });
    return matrix;
  }

  /** [outputs, blocks, blockSize * bits / 8] */
  async #integers({ module, shape: [outputs, inputs], format }: GroupedMatrix): Promise<Uint8Array> {
    const [, blocks, bytesPerBlock] = packedShapes(format, outputs, inputs).packed;
    const rowWords = (blocks * bytesPerBlock) / 4;
    const words = await this.#words(`${module}.qweight`);
    // Inputs that fill up a last block meet activations of zero.
    const packed =
      this.#layout.along === "inputs"
        ? transposeWords(words, words.length / outputs, outputs, rowWords)
        : transposeNibbles(words, inputs, outputs / 8, rowWords);
    return bytesOf(packed);
  }

  /** [outputs, blocks] */
  async #scales(matrix: GroupedMatrix): Promise<Float32Array> {
    const { module, shape, format, groupSize, groups } = matrix;
    // There is no parameter for zero points that could be wrong, so they are looked at here.
    if (format.symmetric) await this.#zeros(matrix);
    const [outputs, blocks] = packedShapes(format, ...shape).scales;
    const stored = toFloat32(await this.#tensors.readStored(`${module}.scales`));
    const scales = new Float32Array(outputs * blocks);
    for (let block = 0; block < blocks; block++) {
      const group = Math.min(Math.floor((block * format.blockSize) / groupSize), groups - 1);
      for (let output = 0; output < outputs; output++) {
        const scale = stored[group * outputs + output] as number;
        if (!Number.isFinite(scale)) {
          throw new ModelFormatError(`tensor "${module}.scales" holds ${scale}`, {
            where: this.#tensors.name,
            remedy: "the file is damaged: fetch it again",
          });
        }
        scales[output * blocks + block] = scale;
      }
    }
    return scales;
  }

  /** [outputs, ceil(blocks * bits / 8)] */
  async #zeroPoints(matrix: GroupedMatrix): Promise<Uint8Array> {
    const { shape, format, groupSize, groups } = matrix;
    const { bits, blockSize } = format;
    const { scales, zeroPoints } = packedShapes(format, ...shape);
    const [outputs, blocks] = scales;
    const zeros = await this.#zeros(matrix);
    const packed = new Uint8Array(outputs * zeroPoints[1]);
    for (let block = 0; block < blocks; block++) {
      const group = Math.min(Math.floor((block * blockSize) / groupSize), groups - 1);
      const [place, shift] = [Math.floor((block * bits) / 8), (block * bits) % 8];
      for (let output = 0; output < outputs; output++) {
        const at = output * zeroPoints[1] + place;
        packed[at] = (packed[at] as number) | ((zeros[group * outputs + output] as number) << shift);
      }
    }
    return packed;
  }

  /** Zero points as they are meant. [groups, outputs] */
  async #zeros({ module, shape: [outputs], format, groups }: GroupedMatrix): Promise<Uint8Array> {
    const { bits, symmetric } = format;
    const { along, zeroOffset } = this.#layout;
    const name = `${module}.qzeros`;
    const zeros = unpackZeros(await this.#words(name), groups, outputs, {
      bits,
      awqOrder: along === "outputs",
    });
    const middle = 2 ** (bits - 1);
    const top = 2 ** bits - 1;
    for (let i = 0; i < zeros.length; i++) {
      const zero = (zeros[i] as number) + zeroOffset;
      if (zero > top) {
        // Writers borrow from or overwrite the next one in the word; readers take it for 0, for 16 or carry it.
        throw new UnsupportedError(
          `"${name}" stores a zero point of 0 as 0 - 1, which published programs read differently`,
          {
            where: this.#tensors.name,
            remedy: "take a checkpoint in the format gptq_v2, or convert the original weights",
          },
        );
      }
      if (symmetric && zero !== middle) {
        throw new ModelFormatError(
          `is said to be symmetric, but "${name}" holds a zero point of ${zero}, not ${middle}`,
          {
            where: this.#tensors.name,
            remedy: "config.json and weights must come from the same model and say the same format",
          },
        );
      }
      zeros[i] = zero;
    }
    return zeros;
  }

  async #words(name: string): Promise<Int32Array> {
    const { data } = await this.#tensors.readStored(name);
    return new Int32Array(data.buffer, data.byteOffset, data.length);
  }
}
