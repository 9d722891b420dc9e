/** @file Writes a dict of tensors as a torch zip archive that `torch.load(weights_only=True)` reads. */

import { InputError, ShapeError, UnsupportedError } from "../errors.ts";
import { bytesOf, type DType } from "../tensor/dtype.ts";
import { byteLength, contiguousStrides, elementCount, sameShape } from "../tensor/shape.ts";
import type { ByteSink } from "./byte-sink.ts";
import { crc32 } from "./crc32.ts";
import { STORAGE_DTYPES } from "./pickle.ts";
import { inMemoryOrder, memoryOrder } from "./strided.ts";
import type { TensorToWrite } from "./tensor-source.ts";

/** torch maps files into memory and wants storages aligned. */
const ALIGNMENT = 64;
/** Without zip64 records; the autoencoder takes a twelfth of it. */
const MAX_ARCHIVE_BYTES = 0xffffffff;
const MAX_MEMBERS = 0xfffe;

const STORAGE_CLASSES: ReadonlyMap<DType, string> = new Map(
  Array.from(STORAGE_DTYPES, ([storage, dtype]) => [dtype, storage]),
);

/**
 * Writes `tensors` to `sink` as a flat dict in the given order, one tensor in memory at a time.
 * @param root folder of the members; its name is up to the writer
 * Throws UnsupportedError for dtypes without a torch storage and for archives of 4 GiB or
 * more, InputError for a name used twice, ShapeError if a loaded tensor is not what was announced.
 */
export async function encodeTorchArchive(
  sink: ByteSink,
  root: string,
  tensors: readonly TensorToWrite[],
): Promise<void> {
  const where = sink.name;
  const names = new Set(tensors.map(({ name }) => name));
  if (names.size !== tensors.length) throw new InputError("a tensor name is used twice", { where });
  const bytes = tensors.reduce((sum, { dtype, shape }) => sum + byteLength(dtype, shape), 0);
  // Headers take under a kilobyte a member.
  if (bytes + 1024 * (tensors.length + 8) > MAX_ARCHIVE_BYTES || tensors.length + 8 > MAX_MEMBERS) {
    throw new UnsupportedError("a torch archive of 4 GiB or more is not written", {
      where,
      remedy: "write safetensors",
    });
  }
  const pickle = pickleDict(tensors);
  const encoder = new TextEncoder();
  const zip = new StoredZipWriter(sink);
  await zip.add(`${root}/data.pkl`, pickle);
  await zip.add(`${root}/byteorder`, encoder.encode("little"));
  for (const [i, announced] of tensors.entries()) {
    const { name, dtype, shape } = announced;
    const loaded = await announced.load();
    if (
      loaded.dtype !== dtype ||
      !sameShape(loaded.shape, shape) ||
      loaded.data.byteLength !== byteLength(dtype, shape)
    ) {
      throw new ShapeError(`was announced as ${dtype} [${shape.join(", ")}]`, { where: name });
    }
    const order = layoutOf(announced);
    const bytes = order === undefined ? bytesOf(loaded.data) : inMemoryOrder(loaded.data, shape, order);
    await zip.add(`${root}/data/${i}`, bytes);
  }
  await zip.add(`${root}/version`, encoder.encode("3\n"));
  await zip.finish();
}

/** The layout of a tensor that is to keep its strides; undefined for row-major, and for views with gaps. */
function layoutOf({ shape, strides }: TensorToWrite): readonly number[] | undefined {
  if (strides === undefined || elementCount(shape) === 0) return undefined;
  const order = memoryOrder(shape, strides);
  return order?.every((axis, place) => axis === place) ? undefined : order;
}

/** Streams stored members; each one's bytes start at a multiple of {@link ALIGNMENT}. */
class StoredZipWriter {
  readonly #sink: ByteSink;
  readonly #directory: Uint8Array[] = [];

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  async add(name: string, bytes: Uint8Array): Promise<void> {
    const nameBytes = new TextEncoder().encode(name);
    const headerAt = this.#sink.position;
    const unpadded = headerAt + 30 + nameBytes.length + 4;
    // Padding is an extra field of its own id, "FB", as torch names it.
    const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT;
    const local = new Uint8Array(30 + nameBytes.length + 4 + padding);
    const view = new DataView(local.buffer);
    const checksum = crc32(bytes);
    const describe = (target: DataView, at: number): void => {
      target.setUint32(at, checksum, true);
      target.setUint32(at + 4, bytes.length, true);
      target.setUint32(at + 8, bytes.length, true);
      target.setUint16(at + 12, nameBytes.length, true);
    };
    view.setUint32(0, 0x04034b50, true);
    view.setUint16(12, DOS_DATE, true);
    describe(view, 14);
    view.setUint16(28, 4 + padding, true);
    local.set(nameBytes, 30);
    view.setUint16(30 + nameBytes.length, 0x4246, true);
    view.setUint16(32 + nameBytes.length, padding, true);
    await this.#sink.write(local);
    await this.#sink.write(bytes);

    const entry = new Uint8Array(46 + nameBytes.length);
    const entryView = new DataView(entry.buffer);
    entryView.setUint32(0, 0x02014b50, true);
    entryView.setUint16(14, DOS_DATE, true);
    describe(entryView, 16);
    entryView.setUint32(42, headerAt, true);
    entry.set(nameBytes, 46);
    this.#directory.push(entry);
  }

  async finish(): Promise<void> {
    const begin = this.#sink.position;
    for (const entry of this.#directory) await this.#sink.write(entry);
    const end = new Uint8Array(22);
    const view = new DataView(end.buffer);
    view.setUint32(0, 0x06054b50, true);
    view.setUint16(8, this.#directory.length, true);
    view.setUint16(10, this.#directory.length, true);
    view.setUint32(12, this.#sink.position - begin, true);
    view.setUint32(16, begin, true);
    await this.#sink.write(end);
  }
}

/** 1 January 1980, the earliest date zip knows: archives depend on their contents alone. */
const DOS_DATE = (1 << 5) | 1;

/** Protocol 2 without memo: {name: _rebuild_tensor_v2(storage i, 0, shape, strides, False, OrderedDict())}. */
function pickleDict(tensors: readonly TensorToWrite[]): Uint8Array {
  const writer = new PickleWriter();
  writer.bytes(0x80, 2, 0x7d, 0x28); // protocol, empty dict, mark
  for (const [i, tensor] of tensors.entries()) {
    const { name, dtype, shape, strides } = tensor;
    const storage = STORAGE_CLASSES.get(dtype);
    if (storage === undefined)
      throw new UnsupportedError(`torch archives cannot hold ${dtype}`, { where: name });
    writer.text(name);
    writer.global("torch._utils", "_rebuild_tensor_v2");
    writer.bytes(0x28, 0x28);
    writer.text("storage");
    writer.global("torch", storage);
    writer.text(String(i));
    writer.text("cpu");
    writer.integer(elementCount(shape));
    writer.bytes(0x74, 0x51); // tuple, persistent id
    writer.integer(0);
    writer.integers(shape);
    writer.integers(
      layoutOf(tensor) === undefined || strides === undefined ? contiguousStrides(shape) : strides,
    );
    writer.bytes(0x89); // requires_grad
    writer.global("collections", "OrderedDict");
    writer.bytes(0x29, 0x52, 0x74, 0x52); // empty tuple, call, tuple, call
  }
  writer.bytes(0x75, 0x2e); // set items, stop
  return writer.finish();
}

class PickleWriter {
  readonly #bytes: number[] = [];
  readonly #encoder = new TextEncoder();

  bytes(...values: number[]): void {
    for (const value of values) this.#bytes.push(value);
  }

  text(value: string): void {
    const encoded = this.#encoder.encode(value);
    this.bytes(0x58);
    this.#uint32(encoded.length);
    for (const byte of encoded) this.#bytes.push(byte);
  }

  global(module: string, name: string): void {
    this.bytes(0x63);
    for (const byte of this.#encoder.encode(`${module}\n${name}\n`)) this.#bytes.push(byte);
  }

  /** A non-negative integer. */
  integer(value: number): void {
    if (value < 2 ** 31) {
      this.bytes(0x4a);
      this.#uint32(value);
    } else {
      // LONG1, eight bytes
      this.bytes(0x8a, 8);
      this.#uint32(value % 2 ** 32);
      this.#uint32(Math.floor(value / 2 ** 32));
    }
  }

  integers(values: readonly number[]): void {
    this.bytes(0x28);
    for (const value of values) this.integer(value);
    this.bytes(0x74);
  }

  #uint32(value: number): void {
    this.bytes(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
