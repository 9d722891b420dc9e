/**
 * @file Reads safetensors: 8 bytes header length, JSON header, then elements. As strict as the reference reader:
 * the data must follow the header without overlap, hole or rest.
 */

import { ModelFormatError, ShapeError, UnsupportedError } from "../errors.ts";
import { type DType, elementsFromBytes, fromSafetensorsDType } from "../tensor/dtype.ts";
import { byteLength, MAX_RANK } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ByteSource, Unchanged } from "./byte-source.ts";
import { JsonReader } from "./json-reader.ts";
import { quoted } from "./quoted.ts";
import {
  type RowRange,
  rowsOf,
  type StoredTensor,
  storedTensor,
  type TensorSource,
} from "./tensor-source.ts";

/** The reference's own limit. */
const MAX_HEADER_BYTES = 100_000_000;
/** The largest model in use has under a thousand; the bound keeps a hostile header from filling the memory. */
const MAX_TENSORS = 1 << 20;

/** One safetensors file. */
export class SafetensorsFile implements TensorSource {
  readonly name: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly #source: ByteSource;

  private constructor(source: ByteSource, header: Header) {
    this.name = source.name;
    this.tensors = header.tensors;
    this.metadata = header.metadata;
    this.#source = source;
  }

  /** Reads the header. Takes over `source`: it is closed with the file, or at once if the header is refused. */
  static async read(source: ByteSource): Promise<SafetensorsFile> {
    try {
      return new SafetensorsFile(source, await readHeader(source));
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  async readTensor(name: string, rows?: RowRange): Promise<Tensor> {
    const { dtype, shape, begin, end } = rowsOf(storedTensor(this, name), rows, name);
    return { dtype, shape, data: elementsFromBytes(dtype, await this.#source.read(begin, end - begin)) };
  }

  fileOf(name: string): string | undefined {
    storedTensor(this, name);
    return this.#source.file;
  }

  async checkUnchanged(what: Unchanged): Promise<void> {
    await this.#source.checkUnchanged?.(what);
  }

  async close(): Promise<void> {
    await this.#source.close();
  }
}

interface Header {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

async function readHeader(source: ByteSource): Promise<Header> {
  const where = source.name;
  if (source.byteLength < 8) {
    throw new ModelFormatError("is too short for a safetensors file", { where });
  }
  const lengthBytes = await source.read(0, 8);
  const headerBytes = Number(new DataView(lengthBytes.buffer).getBigUint64(0, true));
  if (headerBytes > Math.min(MAX_HEADER_BYTES, source.byteLength - 8)) {
    throw new ModelFormatError(`the header's length, ${headerBytes} bytes, is past the end or the limit`, {
      where,
      remedy: "the file is truncated, or not a safetensors file",
    });
  }
  const dataStart = 8 + headerBytes;
  const reader = JsonReader.fromUtf8(await source.read(8, headerBytes), where);
  const tensors = new Map<string, StoredTensor>();
  const metadata = new Map<string, string>();
  reader.object((key) => {
    if (key === "__metadata__") {
      reader.object((name) => metadata.set(name, reader.string()));
    } else {
      tensors.set(key, readEntry(reader, key, where, dataStart));
    }
  }, MAX_TENSORS);
  reader.end();
  checkLayout(tensors, dataStart, source);
  return { tensors, metadata };
}

function readEntry(reader: JsonReader, name: string, where: string, dataStart: number): StoredTensor {
  const label = `tensor ${quoted(name)}`;
  let dtype: DType | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  const sizes = (limit: number): number[] => {
    const list: number[] = [];
    reader.array(() => {
      if (list.length === limit) reader.fail(`${label} has a list of more than ${limit} numbers`);
      list.push(reader.size());
    });
    return list;
  };
  reader.object((field) => {
    if (field === "dtype") {
      const stated = reader.string();
      dtype = fromSafetensorsDType(stated);
      if (dtype === undefined) {
        throw new UnsupportedError(`${label} has dtype ${quoted(stated)}`, {
          where,
          remedy: "convert the weights to F32, F16 or BF16",
        });
      }
    } else if (field === "shape") shape = sizes(MAX_RANK);
    else if (field === "data_offsets") offsets = sizes(2);
    else reader.fail(`${label} has an unknown field ${quoted(field)}`);
  });
  const [begin, end] = offsets ?? [];
  if (dtype === undefined || shape === undefined || begin === undefined || end === undefined) {
    return reader.fail(`${label} lacks dtype, shape or data_offsets`);
  }
  const needed = sizeInBytes(dtype, shape, label, where);
  if (end - begin !== needed) {
    reader.fail(
      `${label} spans bytes ${begin} to ${end}, but ${dtype} [${shape.join(", ")}] takes ${needed}`,
    );
  }
  return { dtype, shape, file: where, begin: dataStart + begin, end: dataStart + end, contiguous: true };
}

function sizeInBytes(dtype: DType, shape: readonly number[], label: string, where: string): number {
  try {
    return byteLength(dtype, shape);
  } catch (cause) {
    if (cause instanceof ShapeError)
      throw new ModelFormatError(`${label}: ${cause.reason}`, { where, cause });
    throw cause;
  }
}

/** In the order of their offsets the tensors must fill the rest of the file exactly. */
function checkLayout(
  tensors: ReadonlyMap<string, StoredTensor>,
  dataStart: number,
  source: ByteSource,
): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let position = dataStart;
  for (const [name, { begin, end }] of ordered) {
    if (begin !== position) {
      throw new ModelFormatError(
        `tensor ${quoted(name)} begins at byte ${begin}, where ${position} was expected`,
        { where: source.name, remedy: "tensors overlap or leave a hole: write the file again" },
      );
    }
    position = end;
  }
  if (position !== source.byteLength) {
    throw new ModelFormatError(`the tensors end at byte ${position}, but the file at ${source.byteLength}`, {
      where: source.name,
      remedy: position > source.byteLength ? "the file is truncated: fetch it again" : "write the file again",
    });
  }
}
