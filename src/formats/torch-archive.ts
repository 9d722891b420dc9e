/**
 * @file Reads torch zip archives of a name -> tensor dict, such as vae/checkpoint.pt (docs/nextstep-spec.md 1.6),
 * without running anything that they ask for.
 */

import { ModelFormatError, ShapeError, UnsupportedError } from "../errors.ts";
import { allocate, bytesPerElement, elementsFromBytes } from "../tensor/dtype.ts";
import { byteLength, contiguousStrides, elementCount } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ByteSource, Unchanged } from "./byte-source.ts";
import { MAX_PICKLE_BYTES, type PickleValue, readPickle, TensorReference } from "./pickle.ts";
import { quoted } from "./quoted.ts";
import { gatherStrided } from "./strided.ts";
import {
  type RowRange,
  rowsOf,
  type StoredTensor,
  storedTensor,
  type TensorSource,
} from "./tensor-source.ts";
import { readZipDirectory, type ZipEntry } from "./zip.ts";

export interface StridedTensor extends StoredTensor {
  /** In elements, counted from `begin`. */
  readonly strides: readonly number[];
}

/** One archive. */
export class TorchArchive implements TensorSource {
  readonly name: string;
  readonly tensors: ReadonlyMap<string, StridedTensor>;
  readonly metadata: ReadonlyMap<string, string> = new Map();
  readonly #source: ByteSource;

  private constructor(source: ByteSource, tensors: ReadonlyMap<string, StridedTensor>) {
    this.name = source.name;
    this.tensors = tensors;
    this.#source = source;
  }

  /** Reads directory and pickle. Takes over `source`: it is closed with the archive, or at once if that is refused. */
  static async read(source: ByteSource): Promise<TorchArchive> {
    try {
      return new TorchArchive(source, await readTensors(source));
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

/** A tensor's elements in row-major order. */
export async function readStrided(source: ByteSource, tensor: StridedTensor): Promise<Tensor> {
  const { dtype, shape, strides, begin, end, contiguous } = tensor;
  const stored = elementsFromBytes(dtype, await source.read(begin, end - begin));
  if (contiguous) return { dtype, shape, data: stored };
  const data = allocate(dtype, elementCount(shape));
  gatherStrided(stored, data, shape, strides);
  return { dtype, shape, data };
}

async function readTensors(source: ByteSource): Promise<ReadonlyMap<string, StridedTensor>> {
  const where = source.name;
  const members = await readZipDirectory(source);
  const root = findRoot(members, where);
  const pickleMember = members.get(`${root}data.pkl`)!;
  const pickleBytes = pickleMember.end - pickleMember.begin;
  if (pickleBytes > MAX_PICKLE_BYTES) {
    throw new ModelFormatError(`its pickle of ${pickleBytes} bytes is too large`, { where });
  }
  await checkByteOrder(source, members.get(`${root}byteorder`));
  const state = stateDict(readPickle(await source.read(pickleMember.begin, pickleBytes), where), where);
  return placeTensors(state, (key) => members.get(`${root}data/${key}`), where);
}

/** The tensors of a state dict, each where it lies. `storageOf` finds the bytes of a storage by its key. */
export function placeTensors(
  state: ReadonlyMap<PickleValue, PickleValue>,
  storageOf: (key: string) => ByteRange | undefined,
  where: string,
): Map<string, StridedTensor> {
  const tensors = new Map<string, StridedTensor>();
  for (const [name, value] of state) {
    if (typeof name !== "string" || !(value instanceof TensorReference)) {
      throw new UnsupportedError(`entry ${quoted(String(name))} is not a tensor`, {
        where,
        remedy: "save a plain dict of tensors with torch.save(model.state_dict())",
      });
    }
    tensors.set(name, placeTensor(name, value, storageOf(value.storage.key), where));
  }
  return tensors;
}

/** Where bytes begin and end in a file. */
export type ByteRange = Pick<ZipEntry, "begin" | "end">;

/** The folder of data.pkl, with its slash; its name is up to the writer. */
function findRoot(members: ReadonlyMap<string, ZipEntry>, where: string): string {
  const roots = [...members.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (roots.length !== 1) {
    throw new ModelFormatError("is a zip archive, but not one of torch: it must hold one data.pkl", {
      where,
    });
  }
  return roots[0]!.slice(0, -"data.pkl".length);
}

async function checkByteOrder(source: ByteSource, member: ZipEntry | undefined): Promise<void> {
  if (member === undefined) return;
  const bytes = await source.read(member.begin, Math.min(member.end - member.begin, 16));
  const order = new TextDecoder().decode(bytes);
  if (order !== "little") {
    throw new UnsupportedError(`byte order ${quoted(order)} is not read`, {
      where: source.name,
      remedy: "save the file on a little-endian machine",
    });
  }
}

/** The dict itself, or the one that a training checkpoint keeps under "state_dict". */
export function stateDict(value: PickleValue, where: string): Map<PickleValue, PickleValue> {
  const nested = value instanceof Map ? value.get("state_dict") : undefined;
  const state = nested instanceof Map ? nested : value;
  if (!(state instanceof Map)) throw new ModelFormatError("does not hold a dict of tensors", { where });
  return state;
}

/** Checks that the view stays inside its storage and holds no more elements than it. */
function placeTensor(
  name: string,
  reference: TensorReference,
  storage: ByteRange | undefined,
  where: string,
): StridedTensor {
  const fail = (reason: string): never => {
    throw new ModelFormatError(`tensor ${quoted(name)}: ${reason}`, {
      where,
      remedy: "the file is damaged: fetch it again",
    });
  };
  const { shape, strides, offset } = reference;
  const { dtype, count: storageCount, key } = reference.storage;
  const itemBytes = bytesPerElement(dtype);
  if (storage === undefined) return fail(`storage ${quoted(key)} is missing`);
  if (storage.end - storage.begin !== storageCount * itemBytes) {
    fail(`storage ${quoted(key)} has another size than stated`);
  }
  if (strides.length !== shape.length) fail("shape and strides differ in length");
  let count = 0;
  try {
    count = elementCount(shape);
    byteLength(dtype, shape);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    fail(error.reason);
  }
  // An expanded view could claim any number of elements out of one.
  if (count > storageCount) fail("the shape holds more elements than the storage");
  let last = offset;
  if (count > 0) for (let axis = 0; axis < shape.length; axis++) last += (shape[axis]! - 1) * strides[axis]!;
  const span = count === 0 ? 0 : last - offset + 1;
  if (!(offset + span <= storageCount)) fail("strides and offset lead out of the storage");
  const begin = storage.begin + offset * itemBytes;
  const contiguous = isContiguous(shape, strides, count);
  return { dtype, shape, strides, file: where, begin, end: begin + span * itemBytes, contiguous };
}

/** Axes of size one may have any stride. */
function isContiguous(shape: readonly number[], strides: readonly number[], count: number): boolean {
  const expected = contiguousStrides(shape);
  return count === 0 || shape.every((size, axis) => size === 1 || strides[axis] === expected[axis]);
}
