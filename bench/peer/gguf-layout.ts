/**
 * @file The part of a GGUF file in front of its tensors, version 3 (ggml, docs/gguf.md): as much as a model of our shapes
 * needs for llama.cpp to open it.
 */

/** Types of tensors: their number in the file, and the bytes of a block of so many elements (ggml-common.h). */
export const GGML_TYPES = Object.freeze({
  F32: { id: 0, elements: 1, bytes: 4 },
  Q4_0: { id: 2, elements: 32, bytes: 18 },
  Q4_K: { id: 12, elements: 256, bytes: 144 },
});
export type GgmlType = keyof typeof GGML_TYPES;

/** Types of metadata: their number in the file. */
const VALUE_TYPES = Object.freeze({ uint32: 4, float32: 6, string: 8, strings: 9 });

export type GgufValue =
  | { readonly type: "uint32" | "float32"; readonly value: number }
  | { readonly type: "string"; readonly value: string }
  /** An array of them. */
  | { readonly type: "strings"; readonly value: readonly string[] };

export interface GgufTensor {
  readonly name: string;
  readonly type: GgmlType;
  /** Row by row, as everywhere in this package; the file names the innermost axis first. */
  readonly shape: readonly number[];
}

export interface GgufLayout {
  /** From the file's first byte to the first tensor's. */
  readonly header: Uint8Array;
  /** Where tensors lie behind the header, in their order; between them are zeros. */
  readonly tensors: readonly { readonly offset: number; readonly bytes: number }[];
  readonly byteLength: number;
}

const MAGIC = "GGUF";
const VERSION = 3;
/** Of the tensors, where the metadata does not say otherwise. */
const ALIGNMENT = 32;

/** Bytes of a tensor. @throws RangeError where a row is no whole number of blocks. */
export function ggmlBytes({ name, type, shape }: GgufTensor): number {
  const { elements, bytes } = GGML_TYPES[type];
  const row = shape.at(-1) ?? 1;
  if (row % elements !== 0) throw new RangeError(`${name}: a row of ${row} in blocks of ${elements}`);
  return (shape.reduce((a, b) => a * b, 1) / elements) * bytes;
}

export function layOutGguf(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly GgufTensor[],
): GgufLayout {
  const bytes = new HeaderBytes();
  bytes.characters(MAGIC);
  bytes.uint32(VERSION);
  bytes.uint64(tensors.length);
  bytes.uint64(metadata.size);
  for (const [key, entry] of metadata) {
    bytes.string(key);
    bytes.uint32(VALUE_TYPES[entry.type]);
    switch (entry.type) {
      case "string":
        bytes.string(entry.value);
        break;
      case "strings":
        bytes.uint32(VALUE_TYPES.string);
        bytes.uint64(entry.value.length);
        for (const text of entry.value) bytes.string(text);
        break;
      default:
        bytes[entry.type](entry.value);
    }
  }
  const placed: { offset: number; bytes: number }[] = [];
  let end = 0;
  for (const tensor of tensors) {
    const place = { offset: aligned(end), bytes: ggmlBytes(tensor) };
    bytes.string(tensor.name);
    bytes.uint32(tensor.shape.length);
    for (const size of tensor.shape.toReversed()) bytes.uint64(size);
    bytes.uint32(GGML_TYPES[tensor.type].id);
    bytes.uint64(place.offset);
    placed.push(place);
    end = place.offset + place.bytes;
  }
  const header = bytes.padded(ALIGNMENT);
  return { header, tensors: placed, byteLength: header.byteLength + aligned(end) };
}

function aligned(position: number): number {
  return Math.ceil(position / ALIGNMENT) * ALIGNMENT;
}

/** Bytes that are appended, numbers with the lowest byte first. */
class HeaderBytes {
  readonly #bytes: number[] = [];

  characters(text: string): void {
    this.#bytes.push(...new TextEncoder().encode(text));
  }

  string(text: string): void {
    this.uint64(new TextEncoder().encode(text).byteLength);
    this.characters(text);
  }

  uint32(value: number): void {
    this.#append(4, (view) => view.setUint32(0, value, true));
  }

  uint64(value: number): void {
    this.#append(8, (view) => view.setBigUint64(0, BigInt(value), true));
  }

  float32(value: number): void {
    this.#append(4, (view) => view.setFloat32(0, value, true));
  }

  /** All of them, with zeros to a multiple of `alignment`. */
  padded(alignment: number): Uint8Array {
    const padded = new Uint8Array(Math.ceil(this.#bytes.length / alignment) * alignment);
    padded.set(this.#bytes);
    return padded;
  }

  #append(length: number, set: (view: DataView) => void): void {
    const view = new DataView(new ArrayBuffer(length));
    set(view);
    this.#bytes.push(...new Uint8Array(view.buffer));
  }
}
