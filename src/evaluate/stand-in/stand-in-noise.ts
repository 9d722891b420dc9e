/** @file Weights of stand-ins: numbers at random, fast, different in every tensor, and such that activations stay finite. */
import { CounterRng } from "../../tensor/counter-rng.ts";
import { type DType, type TypedArray, viewElements } from "../../tensor/dtype.ts";
import { fromFloat32 } from "../../tensor/tensor.ts";

/** Indices of 16 bits choose from a table of normal numbers. */
const TABLE_SIZE = 65_536;
/** Deviation of the integers 0 to n - 1, all being as likely. */
const uniformDeviation = (levels: number): number => Math.sqrt((levels ** 2 - 1) / 12);

/** Mean and deviation of a weight: of about unit gain in matrices and kernels, near 1 in norms, near 0 in biases. */
function statisticsOf(name: string, shape: readonly number[]): readonly [mean: number, deviation: number] {
  if (shape.length >= 2) return [0, 1 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1))];
  return name.endsWith(".bias") ? [0, 0.02] : [1, 0.1];
}

/** Words at random (Marsaglia's xorshift32), a sequence of its own for each name and seed. */
class Words {
  #state: number;

  constructor(name: string, seed: number) {
    // FNV-1a
    let hash = 0x811c9dc5 ^ seed;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    this.#state = hash >>> 0 || 1;
  }

  fill(words: Uint32Array): void {
    let state = this.#state;
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state;
    }
    this.#state = state >>> 0;
  }
}

/** Makes the elements of tensors, in pieces. One for all tensors of a stand-in. */
export class StandInNoise {
  readonly #seed: number;
  readonly #normal: Float32Array;
  readonly #tables = new Map<string, TypedArray>();

  constructor(seed: number) {
    this.#seed = seed;
    this.#normal = new CounterRng(seed).fillNormal(new Float32Array(TABLE_SIZE));
  }

  /**
   * Floats of a weight, `pieceElements` at a time but for the last.
   * @param count of all elements.
   */
  *floats(
    name: string,
    dtype: "float32" | "bfloat16",
    shape: readonly number[],
    pieceElements: number,
  ): Generator<TypedArray> {
    const table = this.#table(dtype, ...statisticsOf(name, shape));
    const words = new Words(name, this.#seed);
    const count = shape.reduce((a, b) => a * b, 1);
    for (let done = 0; done < count; done += pieceElements) {
      const length = Math.min(pieceElements, count - done);
      const indices = new Uint16Array(2 * Math.ceil(length / 2));
      words.fill(new Uint32Array(indices.buffer));
      const data = viewElements(dtype, new ArrayBuffer(length * table.BYTES_PER_ELEMENT), 0, length);
      for (let i = 0; i < length; i++) data[i] = table[indices[i] as number] as number;
      yield data;
    }
  }

  /** Packed integers, all as likely: bytes, `pieceBytes` at a time but for the last. */
  *integers(name: string, count: number, pieceBytes: number): Generator<Uint8Array> {
    const words = new Words(name, this.#seed);
    for (let done = 0; done < count; done += pieceBytes) {
      const length = Math.min(pieceBytes, count - done);
      const bytes = new Uint8Array(4 * Math.ceil(length / 4));
      words.fill(new Uint32Array(bytes.buffer));
      yield bytes.subarray(0, length);
    }
  }

  /** Zero points at either side of the middle of the integers. */
  *zeroPoints(name: string, count: number, bits: 4 | 8, pieceBytes: number): Generator<Uint8Array> {
    const [lower, varied] = bits === 4 ? [0x77, 0x11] : [0x7f, 0x01];
    for (const bytes of this.integers(name, count, pieceBytes)) {
      yield bytes.map((byte) => lower + (byte & varied));
    }
  }

  /** Scales with which blocks of integers have the deviation of a matrix [outputs, inputs]. */
  *scales(
    name: string,
    count: number,
    matrix: readonly [number, number],
    bits: 4 | 8,
    pieceElements: number,
  ): Generator<Float32Array> {
    const [, deviation] = statisticsOf(name, matrix);
    const step = deviation / uniformDeviation(2 ** bits);
    const words = new Words(name, this.#seed);
    for (let done = 0; done < count; done += pieceElements) {
      const drawn = new Uint32Array(Math.min(pieceElements, count - done));
      words.fill(drawn);
      yield Float32Array.from(drawn, (word) => step * (0.75 + word / 2 ** 33));
    }
  }

  #table(dtype: DType, mean: number, deviation: number): TypedArray {
    const key = `${dtype} ${mean} ${deviation}`;
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    const values = this.#normal.map((value) => mean + deviation * value);
    const { data } = fromFloat32(dtype, [TABLE_SIZE], values);
    this.#tables.set(key, data);
    return data;
  }
}
