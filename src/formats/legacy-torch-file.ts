/**
 * @file Reads what torch.save wrote before it wrote zip archives: pickles (a number by which the format is known, its
 * version, notes on the machine, the dict, the keys of the storages), then the storages' bytes.
 */

import { ModelFormatError, UnsupportedError } from "../errors.ts";
import { bytesPerElement, type DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ByteSource, Unchanged } from "./byte-source.ts";
import { List, MAX_PICKLE_BYTES, type PickleValue, readPickleAt, TensorReference } from "./pickle.ts";
import { type RowRange, rowsOf, storedTensor, type TensorSource } from "./tensor-source.ts";
import { type ByteRange, placeTensors, readStrided, type StridedTensor, stateDict } from "./torch-archive.ts";

/** The first pickle as it always stands: the number 0x1950a86a20f9469cfc6c, too large for the pickle reader. */
const MAGIC = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const VERSION = 1001;
/** A storage begins with its number of elements. */
const COUNT_BYTES = 8;

/** One file. */
export class LegacyTorchFile implements TensorSource {
  readonly name: string;
  readonly tensors: ReadonlyMap<string, StridedTensor>;
  readonly metadata: ReadonlyMap<string, string> = new Map();
  readonly #source: ByteSource;

  private constructor(source: ByteSource, tensors: ReadonlyMap<string, StridedTensor>) {
    this.name = source.name;
    this.tensors = tensors;
    this.#source = source;
  }

  /**
   * Reads the pickles. Takes over `source`: it is closed with the file, or at once if that is refused.
   * @throws ModelFormatError for a damaged file, UnsupportedError for pickles that hold more than tensors.
   */
  static async read(source: ByteSource): Promise<LegacyTorchFile> {
    try {
      return new LegacyTorchFile(source, await readTensors(source));
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  async readTensor(name: string, rows?: RowRange): Promise<Tensor> {
    return readStrided(this.#source, rowsOf(storedTensor(this, name), rows, name));
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

async function readTensors(source: ByteSource): Promise<ReadonlyMap<string, StridedTensor>> {
  const where = source.name;
  const bytes = await source.read(0, Math.min(source.byteLength, MAX_PICKLE_BYTES));
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) {
    throw new ModelFormatError("is no file of torch.save from before its zip archives", {
      where,
      remedy: "give the weights file as its package holds it",
    });
  }
  const version = readPickleAt(bytes, MAGIC.length, where);
  if (version.value !== VERSION) {
    throw new UnsupportedError(`version ${String(version.value)} of the format is not read`, { where });
  }
  const notes = readPickleAt(bytes, version.end, where);
  if (!(notes.value instanceof Map) || notes.value.get("little_endian") !== true) {
    throw new UnsupportedError("its numbers are not in little-endian order", {
      where,
      remedy: "save the file on a little-endian machine",
    });
  }
  const dict = readPickleAt(bytes, notes.end, where);
  const state = stateDict(dict.value, where);
  const keys = readPickleAt(bytes, dict.end, where);
  const storages = await findStorages(source, keys, dtypesOf(state));
  return placeTensors(state, (key) => storages.get(key), where);
}

/** Dtypes of the storages by key: the bytes themselves do not say. */
function dtypesOf(state: ReadonlyMap<PickleValue, PickleValue>): Map<string, DType> {
  const dtypes = new Map<string, DType>();
  for (const value of state.values()) {
    if (value instanceof TensorReference) dtypes.set(value.storage.key, value.storage.dtype);
  }
  return dtypes;
}

async function findStorages(
  source: ByteSource,
  keys: { readonly value: PickleValue; readonly end: number },
  dtypes: ReadonlyMap<string, DType>,
): Promise<Map<string, ByteRange>> {
  const fail = (reason: string): never => {
    throw new ModelFormatError(reason, {
      where: source.name,
      remedy: "the file is damaged: fetch it again",
    });
  };
  const ranges = new Map<string, ByteRange>();
  let at = keys.end;
  for (const key of keys.value instanceof List ? keys.value.items : fail("does not list its storages")) {
    const dtype = typeof key === "string" ? dtypes.get(key) : undefined;
    // What follows a storage of unknown size cannot be found.
    if (typeof key !== "string" || dtype === undefined) return fail("lists a storage of no tensor");
    if (ranges.has(key)) fail("lists a storage twice");
    const head = await source.read(at, COUNT_BYTES);
    const count = new DataView(head.buffer).getBigUint64(0, true);
    const begin = at + COUNT_BYTES;
    if (count > BigInt(source.byteLength)) fail("has a storage larger than the file");
    const end = begin + Number(count) * bytesPerElement(dtype);
    if (end > source.byteLength) fail("ends within a storage");
    ranges.set(key, { begin, end });
    at = end;
  }
  return ranges;
}
