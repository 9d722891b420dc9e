/** @file Torch archives: published files, hand-made pickles and directories, and what must be refused. */

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { copyTensors } from "../../test/support/copy-tensors.ts";
import { openTorchArchive } from "../../test/support/open-torch-archive.ts";
import { InputError, ModelFormatError, ShapeError, UnsupportedError } from "../errors.ts";
import { FileSource } from "../files/file-source.ts";
import { writeTorchArchive } from "../files/torch-archive-file.ts";
import { allocate, bytesOf, type DType } from "../tensor/dtype.ts";
import { tensor, toFloat32 } from "../tensor/tensor.ts";
import { MemorySource } from "./byte-source.ts";
import { tensorsToWrite } from "./tensor-source.ts";
import { TorchArchive } from "./torch-archive.ts";

const models = fileURLToPath(new URL("../../test/parity/models/", import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "torch-archive-"));
});
afterAll(() => rm(folder, { recursive: true }));

type Bytes = readonly number[];
const ascii = (text: string): number[] => [...new TextEncoder().encode(text)];
const int = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256);

/** Pickle assembly, one function per operation in use. */
const text = (value: string): number[] => [0x58, ...int(ascii(value).length, 4), ...ascii(value)];
const number = (value: number): number[] => [0x4a, ...int(value >= 0 ? value : value + 2 ** 32, 4)];
const tuple = (...items: Bytes[]): number[] => [0x28, ...items.flat(), 0x74];
const global = (module: string, name: string): number[] => [0x63, ...ascii(`${module}\n${name}\n`)];
const orderedDict = [...global("collections", "OrderedDict"), 0x29, 0x52];
const program = (...parts: Bytes[]): number[] => [0x80, 2, ...parts.flat(), 0x2e];
const dict = (...parts: Bytes[]): number[] => [0x7d, 0x28, ...parts.flat(), 0x75];

interface View {
  readonly storage?: string;
  readonly key?: string;
  readonly count?: number;
  readonly offset?: number;
  readonly shape?: readonly number[];
  readonly strides?: readonly number[];
  readonly more?: Bytes[];
}

function view(fields: View): number[] {
  const { storage = "FloatStorage", key = "0", count = 6, offset = 0, shape = [6], strides = [1] } = fields;
  const id = tuple(text("storage"), global("torch", storage), text(key), text("cpu"), number(count));
  return [
    ...global("torch._utils", "_rebuild_tensor_v2"),
    ...tuple(
      [...id, 0x51],
      number(offset),
      tuple(...shape.map(number)),
      tuple(...strides.map(number)),
      [0x89],
      orderedDict,
      ...(fields.more ?? []),
    ),
    0x52,
  ];
}

interface ZipOptions {
  readonly zip64?: boolean;
  readonly method?: number;
  readonly comment?: string;
  /** Changes the directory and end records before they are appended. */
  readonly spoil?: (directory: Uint8Array, end: Uint8Array) => void;
}

/** A zip by the book; with `zip64` every size and offset is in the wide fields. */
function zip(
  members: readonly (readonly [string, Bytes | Uint8Array])[],
  options: ZipOptions = {},
): MemorySource {
  const { zip64 = false, method = 0, comment = "" } = options;
  const out: number[] = [];
  const directory: number[] = [];
  const wide = (value: number): number[] => (zip64 ? [255, 255, 255, 255] : int(value, 4));
  for (const [name, data] of members) {
    const at = out.length;
    out.push(
      ...int(0x04034b50, 4),
      ...int(45, 2),
      ...int(8, 2),
      ...int(method, 2),
      ...int(0, 4),
      ...int(0, 12),
    );
    out.push(...int(name.length, 2), ...int(3, 2), ...ascii(name), 1, 2, 3, ...data);
    const unrelated = [0x46, 0x42, 1, 0, 9];
    const widened = zip64
      ? [...unrelated, 1, 0, 24, 0, ...int(data.length, 8), ...int(data.length, 8), ...int(at, 8)]
      : [];
    directory.push(
      ...int(0x02014b50, 4),
      ...int(45, 2),
      ...int(45, 2),
      ...int(8, 2),
      ...int(method, 2),
      ...int(0, 8),
    );
    directory.push(
      ...wide(data.length),
      ...wide(data.length),
      ...int(name.length, 2),
      ...int(widened.length, 2),
    );
    directory.push(...int(0, 10), ...wide(at), ...ascii(name), ...widened);
  }
  const end: number[] = [];
  if (zip64) {
    end.push(...int(0x06064b50, 4), ...int(44, 8), ...int(45, 2), ...int(45, 2), ...int(0, 8));
    end.push(
      ...int(members.length, 8),
      ...int(members.length, 8),
      ...int(directory.length, 8),
      ...int(out.length, 8),
    );
    end.push(...int(0x07064b50, 4), ...int(0, 4), ...int(out.length + directory.length, 8), ...int(1, 4));
  }
  const count = zip64 ? [255, 255] : int(members.length, 2);
  end.push(
    ...int(0x06054b50, 4),
    ...int(0, 4),
    ...count,
    ...count,
    ...wide(directory.length),
    ...wide(out.length),
  );
  end.push(...int(comment.length, 2), ...ascii(comment));
  const directoryBytes = Uint8Array.from(directory);
  const endBytes = Uint8Array.from(end);
  options.spoil?.(directoryBytes, endBytes);
  return new MemorySource(Uint8Array.from([...out, ...directoryBytes, ...endBytes]), "test.pt");
}

const floats = bytesOf(Float32Array.from([0, 1, 2, 3, 4, 5]));

/** An archive with one storage "0" of six float32 and the given pickle. */
function archive(pickle: Bytes, storage: Uint8Array = floats, options?: ZipOptions): MemorySource {
  return zip(
    [
      ["any root/data.pkl", pickle],
      ["any root/byteorder", ascii("little")],
      ["any root/data/0", storage],
      ["any root/version", ascii("3\n")],
    ],
    options,
  );
}

async function readOnly(source: MemorySource): Promise<number[]> {
  const read = await TorchArchive.read(source);
  return [...toFloat32(await read.readTensor([...read.tensors.keys()][0]!))];
}

describe("published autoencoders", () => {
  it.each([
    ["v1", 172],
    ["v1.1", 176],
  ])("reads %s, and writes it back with equal tensors in the same order", async (model, count) => {
    const source = await openTorchArchive(join(models, model, "vae/checkpoint.pt"));
    expect(source.tensors.size).toBe(count);
    const copy = join(folder, `${model}.pt`);
    await writeTorchArchive(copy, copyTensors(source));
    const again = await openTorchArchive(copy);
    expect([...again.tensors.keys()]).toEqual([...source.tensors.keys()]);
    for (const [name, stored] of source.tensors) {
      const value = await source.readTensor(name);
      expect(await again.readTensor(name)).toEqual(value);
      expect(again.tensors.get(name)!.strides).toEqual(stored.strides);
      expect(again.tensors.get(name)!.begin % 64).toBe(0);
      expect(value.dtype).toBe(stored.dtype);
    }
    await source.close();
    await again.close();
  });

  it("honours the strides of the one tensor that has them", async () => {
    const source = await openTorchArchive(join(models, "v1.1/vae/checkpoint.pt"));
    const strided = [...source.tensors].filter(([, stored]) => !stored.contiguous);
    expect(strided.length).toBe(1);
    const [name, { shape, strides, begin, end }] = strided[0]!;
    const { data } = await source.readTensor(name);
    const raw = new Uint16Array(await rawBytes(join(models, "v1.1/vae/checkpoint.pt"), begin, end));
    for (let i = 0; i < data.length; i++) {
      let rest = i;
      let at = 0;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        at += (rest % shape[axis]!) * strides[axis]!;
        rest = Math.floor(rest / shape[axis]!);
      }
      expect(data[i]).toBe(raw[at]);
    }
    await source.close();
  });
});

describe("an archive of PyTorch 2.13", () => {
  it("gives the tensors of its state_dict, views unrolled", async () => {
    const path = fileURLToPath(new URL("../../test/formats/nested.pt", import.meta.url));
    const source = await openTorchArchive(path);
    const shapes = Array.from(source.tensors, ([name, t]) => `${name} ${t.dtype} [${t.shape.join(",")}]`);
    expect(shapes).toEqual([
      "0.weight float32 [2,3]",
      "0.bias float32 [2]",
      "1.weight float32 [2]",
      "1.bias float32 [2]",
      "1.running_mean float32 [2]",
      "1.running_var float32 [2]",
      "1.num_batches_tracked int64 []",
      "strided float32 [4,3,2]",
      "half float16 [2,2]",
      "brain bfloat16 [3]",
    ]);
    const values = async (name: string): Promise<number[]> => [...toFloat32(await source.readTensor(name))];
    const strided = [0, 1, 2, 3].flatMap((k) =>
      [0, 1, 2].flatMap((j) => [0, 1].map((i) => 12 * i + 4 * j + k)),
    );
    expect(await values("strided")).toEqual(strided);
    expect(await values("half")).toEqual([1, 2, 4, 5]);
    expect(await values("brain")).toEqual([0, 1, 2]);
    expect(await values("0.bias")).toEqual([-0.011439144611358643, 0.45777493715286255]);
    await source.close();
  });
});

async function rawBytes(path: string, begin: number, end: number): Promise<ArrayBuffer> {
  const source = await FileSource.open(path);
  const bytes = await source.read(begin, end - begin);
  await source.close();
  return bytes.buffer;
}

describe("views", () => {
  it.each<[string, View, number[]]>([
    ["a plain tensor", {}, [0, 1, 2, 3, 4, 5]],
    ["a transposed one", { shape: [3, 2], strides: [1, 3] }, [0, 3, 1, 4, 2, 5]],
    ["a slice with an offset", { offset: 1, shape: [2, 2], strides: [3, 1] }, [1, 2, 4, 5]],
    ["axes of size one with odd strides", { shape: [1, 6, 1], strides: [99, 1, 77] }, [0, 1, 2, 3, 4, 5]],
    ["three axes", { shape: [2, 1, 3], strides: [1, 5, 2] }, [0, 2, 4, 1, 3, 5]],
    ["an expanded axis within the storage's size", { shape: [2, 3], strides: [0, 1] }, [0, 1, 2, 0, 1, 2]],
    ["a scalar", { offset: 4, shape: [], strides: [] }, [4]],
    ["an empty tensor", { offset: 6, shape: [0, 9], strides: [9, 1] }, []],
    ["a None as metadata", { more: [[0x4e]] }, [0, 1, 2, 3, 4, 5]],
  ])("reads %s", async (_what, fields, expected) => {
    expect(await readOnly(archive(program(dict(text("x"), view(fields)))))).toEqual(expected);
  });

  it.each<[string, DType]>([
    ["DoubleStorage", "float64"],
    ["FloatStorage", "float32"],
    ["HalfStorage", "float16"],
    ["BFloat16Storage", "bfloat16"],
    ["LongStorage", "int64"],
    ["IntStorage", "int32"],
    ["ShortStorage", "int16"],
    ["CharStorage", "int8"],
    ["ByteStorage", "uint8"],
    ["BoolStorage", "bool"],
  ])("reads a transposed %s", async (storage, dtype) => {
    const stored = allocate(dtype, 6);
    const bytes = bytesOf(stored);
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 37) % 251;
    const pickle = program(dict(text("x"), view({ storage, shape: [3, 2], strides: [1, 3] })));
    const read = await TorchArchive.read(archive(pickle, bytes));
    const { data, ...rest } = await read.readTensor("x");
    expect(rest).toEqual({ dtype, shape: [3, 2] });
    expect([...data]).toEqual([0, 3, 1, 4, 2, 5].map((i) => stored[i]));
  });

  it.each<[string, View, RegExp]>([
    ["an offset past the end", { offset: 1 }, /out of the storage/],
    ["strides past the end", { shape: [2, 2], strides: [5, 1] }, /out of the storage/],
    ["strides that overflow", { shape: [2, 2], strides: [2 ** 31 - 1, 2 ** 31 - 1] }, /out of the storage/],
    ["more elements than the storage", { shape: [1000, 1000], strides: [0, 0] }, /more elements/],
    ["a count that is not the storage's", { count: 7 }, /another size/],
    ["a missing storage", { key: "1" }, /missing/],
    ["a storage outside", { key: "../version" }, /missing/],
    ["unequal lengths", { shape: [2, 3], strides: [1] }, /differ in length/],
    ["a negative size", { shape: [-1] }, /non-negative/],
    ["too many axes", { shape: new Array(40).fill(1), strides: new Array(40).fill(1) }, /axes/],
    ["an empty tensor outside", { offset: 7, shape: [0] }, /out of the storage/],
  ])("refuses %s", async (_what, fields, message) => {
    const failure = TorchArchive.read(archive(program(dict(text("x"), view(fields)))));
    await expect(failure).rejects.toThrow(ModelFormatError);
    await expect(failure).rejects.toThrow(message);
  });
});

describe("pickles", () => {
  it("takes OrderedDict with state, parameters, a nested state_dict beside other values, and the memo", async () => {
    const parameter = [
      ...global("torch._utils", "_rebuild_parameter"),
      ...tuple(view({}), [0x88], orderedDict),
      0x52,
    ];
    const state = [
      ...orderedDict,
      0x71,
      5,
      0x28,
      ...text("w"),
      ...parameter,
      0x75,
      0x7d,
      ...text("_metadata"),
    ];
    const built = [...state, 0x4e, 0x73, 0x62];
    const other = [...text("list"), 0x5d, 0x28, 0x4b, 1, 0x47, ...new Array(8).fill(0), 0x8a, 1, 255, 0x65];
    const pickle = program(dict(text("epoch"), [0x4d, 1, 2], other, text("state_dict"), built));
    expect(await readOnly(archive(pickle))).toEqual([0, 1, 2, 3, 4, 5]);
    const twice = program(dict(text("a"), [...view({}), 0x72, 0, 1, 0, 0], text("b"), [0x6a, 0, 1, 0, 0]));
    expect([...(await TorchArchive.read(archive(twice))).tensors.keys()]).toEqual(["a", "b"]);
  });

  it("takes protocol 4 with frames, short strings and memoized class names", async () => {
    const short = (value: string): number[] => [0x8c, value.length, ...ascii(value), 0x94];
    const rebuild = [...short("torch._utils"), ...short("_rebuild_tensor_v2"), 0x93, 0x94];
    const id = [0x28, ...short("storage"), ...short("torch"), ...short("FloatStorage"), 0x93, 0x94];
    const rest = [...short("0"), ...short("cpu"), 0x4b, 6, 0x74, 0x94, 0x51];
    const shape = [0x4b, 0, 0x4b, 6, 0x85, 0x94, 0x4b, 1, 0x85, 0x94, 0x89];
    const hooks = [...short("collections"), ...short("OrderedDict"), 0x93, 0x94, 0x29, 0x52, 0x94];
    const body = [
      0x7d,
      0x94,
      ...short("x"),
      ...rebuild,
      0x28,
      ...id,
      ...rest,
      ...shape,
      ...hooks,
      0x74,
      0x94,
      0x52,
      0x73,
    ];
    expect(await readOnly(archive([0x80, 4, 0x95, ...int(body.length + 1, 8), ...body, 0x2e]))).toEqual([
      0, 1, 2, 3, 4, 5,
    ]);
  });

  it.each<[string, Bytes, RegExp]>([
    ["os.system", [...global("os", "system"), ...text("true"), 0x85, 0x52], /"os.system"/],
    ["builtins.eval", [...global("builtins", "eval"), ...text("1"), 0x85, 0x52], /"builtins.eval"/],
    ["another torch function", global("torch._utils", "_rebuild_tensor_v3"), /_rebuild_tensor_v3/],
    ["an unknown storage", global("torch", "QInt8Storage"), /QInt8Storage/],
    ["a class instance", [...global("collections", "OrderedDict"), 0x29, 0x81], /0x81/],
    ["state for a tensor", [...view({}), 0x7d, 0x62], /object state/],
    ["conjugated tensors", view({ more: [dict(text("conj"), [0x88])] }), /metadata/],
    ["a dict keyed by tuples", dict([0x29], [0x4e]), /key/],
    ["an OrderedDict of pairs", [...global("collections", "OrderedDict"), 0x5d, 0x85, 0x52], /arguments/],
    ["extension codes", [0x82, 1], /0x82/],
    ["text protocol integers", [0x49, ...ascii("1\n")], /0x49/],
    ["a nested pickle protocol 1", [0x80, 1], /protocol 1/],
  ])("refuses %s by name", async (_what, body, message) => {
    const failure = TorchArchive.read(archive(program(body)));
    await expect(failure).rejects.toThrow(UnsupportedError);
    await expect(failure).rejects.toThrow(message);
  });

  it("refuses entries that are not tensors", async () => {
    await expect(TorchArchive.read(archive(program(dict(text("step"), number(1)))))).rejects.toThrow(
      /"step" is not a tensor/,
    );
    await expect(TorchArchive.read(archive(program(number(1))))).rejects.toThrow(/dict of tensors/);
  });

  it.each<[string, Bytes, RegExp]>([
    ["an empty pickle", [], /too early/],
    ["no stop", [0x80, 2, 0x7d], /too early/],
    ["stop on an empty stack", [0x80, 2, 0x2e], /lacks a value/],
    ["values left over", [0x80, 2, 0x7d, 0x7d, 0x2e], /left over/],
    ["a mark left over", [0x80, 2, 0x28, 0x7d, 0x2e], /left over/],
    ["a tuple without mark", program([0x74]), /lacks a mark/],
    ["popping through a mark", program([0x4e, 0x28, 0x85]), /lacks a value/],
    ["an unknown memo entry", program([0x68, 3]), /not stored/],
    ["a string past the end", [0x80, 2, 0x58, 255, 255, 255, 255], /too early/],
    ["text that is not UTF-8", program([0x8c, 1, 0xff]), /UTF-8/],
    ["an unending class name", [0x80, 2, 0x63, ...new Array(500).fill(65)], /without end/],
    ["calling a string", program(text("a"), [0x29, 0x52]), /cannot be called/],
    ["calling a storage", program(global("torch", "FloatStorage"), [0x29, 0x52]), /calls a storage/],
    ["a storage that is none", program([0x4e, 0x51]), /malformed storage/],
    [
      "a storage of a function",
      program(
        tuple(text("storage"), global("collections", "OrderedDict"), text("0"), text("cpu"), number(1)),
        [0x51],
      ),
      /no type/,
    ],
    [
      "a tensor of too few arguments",
      program(global("torch._utils", "_rebuild_tensor_v2"), [0x29, 0x52]),
      /without storage/,
    ],
    [
      "a parameter of no tensor",
      program(global("torch._utils", "_rebuild_parameter"), [0x29, 0x52]),
      /without a tensor/,
    ],
    ["items of a list", program([0x5d, 0x4e, 0x4e, 0x73]), /not a dict/],
    ["an odd number of items", program([0x7d, 0x28, 0x4e, 0x75]), /not a dict/],
    ["appending to a dict", program([0x7d, 0x4e, 0x61]), /not a list/],
    ["a key twice", program(dict(text("a"), [0x4e], text("a"), [0x4e])), /twice/],
    ["an integer out of range", program([0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 64]), /out of range/],
    ["a deep stack", program(new Array(1_100_000).fill(0x28)), /deep/],
    [
      "endless work",
      program(new Array(500_000).fill([0x4e, 0x85, 0x85, 0x85, 0x85]).flat(), [0x4e]),
      /deep|operations/,
    ],
  ])("refuses %s", async (_what, pickle, message) => {
    const failure = TorchArchive.read(new SparsePickle(pickle).source);
    await expect(failure).rejects.toThrow(ModelFormatError);
    await expect(failure).rejects.toThrow(message);
  });

  it("is not slowed down by one long tuple that is named many times", async () => {
    const long = [0x28, ...new Array(300_000).fill(0x4b).flatMap((op) => [op, 1]), 0x74, 0x71, 1];
    const id = tuple(text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"), number(6));
    const call = [
      ...global("torch._utils", "_rebuild_tensor_v2"),
      0x28,
      ...id,
      0x51,
      0x4b,
      0,
      0x68,
      1,
      0x68,
      1,
    ];
    const start = process.cpuUsage();
    const failure = TorchArchive.read(new SparsePickle(program(long, call, [0x89, 0x4e, 0x74, 0x52])).source);
    await expect(failure).rejects.toThrow(/axes/);
    const { user, system } = process.cpuUsage(start);
    // Its own time: what else the machine does is not its fault.
    expect((user + system) / 1e6).toBeLessThan(3);
  });
});

/** Large pickles overflow the spread in `zip`: the member is laid out by hand. */
class SparsePickle {
  readonly source: MemorySource;

  constructor(pickle: Bytes) {
    const name = ascii("r/data.pkl");
    const local = [...int(0x04034b50, 4), ...int(0, 22), ...int(name.length, 2), 0, 0, ...name];
    const directory = [
      ...int(0x02014b50, 4),
      ...int(0, 16),
      ...int(pickle.length, 4),
      ...int(pickle.length, 4),
    ];
    directory.push(...int(name.length, 2), ...int(0, 16), ...name);
    const end = [...int(0x06054b50, 4), ...int(0, 4), 1, 0, 1, 0, ...int(directory.length, 4)];
    end.push(...int(local.length + pickle.length, 4), 0, 0);
    const bytes = new Uint8Array(local.length + pickle.length + directory.length + end.length);
    bytes.set(local);
    bytes.set(pickle, local.length);
    bytes.set(directory, local.length + pickle.length);
    bytes.set(end, local.length + pickle.length + directory.length);
    this.source = new MemorySource(bytes, "sparse.pt");
  }
}

describe("zip directories", () => {
  const pickle = program(dict(text("x"), view({})));

  it("reads zip64 records and comments", async () => {
    for (const options of [
      { zip64: true },
      { comment: "PK\x05\x06 not the end" },
      { zip64: true, comment: "c" },
    ]) {
      expect(await readOnly(archive(pickle, floats, options))).toEqual([0, 1, 2, 3, 4, 5]);
    }
  });

  const spoil = (at: number, value: number, where: "directory" | "end" = "directory"): ZipOptions => ({
    spoil: (directory, end) => {
      (where === "directory" ? directory : end)[at] = value;
    },
  });

  it.each<[string, MemorySource, RegExp]>([
    ["no zip", new MemorySource(Uint8Array.from(program([0x4e]))), /not a zip/],
    ["an empty file", new MemorySource(new Uint8Array(0)), /not a zip/],
    ["a zip of something else", zip([["a.txt", ascii("a")]]), /one data.pkl/],
    [
      "two roots",
      zip([
        ["a/data.pkl", pickle],
        ["b/data.pkl", pickle],
      ]),
      /one data.pkl/,
    ],
    [
      "a member twice",
      zip([
        ["a/data.pkl", pickle],
        ["a/data.pkl", pickle],
      ]),
      /twice/,
    ],
    ["a bad directory signature", archive(pickle, floats, spoil(0, 0)), /directory is damaged/],
    ["a directory past the end", archive(pickle, floats, spoil(15, 1, "end")), /past the end|too large/],
    ["too many members", archive(pickle, floats, spoil(11, 255, "end")), /damaged|header/],
    ["sizes that differ", archive(pickle, floats, spoil(24, 1)), /damaged/],
    ["a header elsewhere", archive(pickle, floats, spoil(42, 1)), /header/],
    ["a header past the end", archive(pickle, floats, spoil(45, 127)), /past the end/],
  ])("refuses %s", async (_what, source, message) => {
    const failure = TorchArchive.read(source);
    await expect(failure).rejects.toThrow(ModelFormatError);
    await expect(failure).rejects.toThrow(message);
  });

  it("refuses truncation at any length", async () => {
    const whole = archive(pickle);
    const bytes = await whole.read(0, whole.byteLength);
    for (let length = 0; length < bytes.length; length++) {
      await expect(TorchArchive.read(new MemorySource(bytes.slice(0, length)))).rejects.toThrow(
        ModelFormatError,
      );
    }
  });

  it("refuses compressed members, other byte orders and missing tensors", async () => {
    await expect(TorchArchive.read(archive(pickle, floats, { method: 8 }))).rejects.toThrow(UnsupportedError);
    const big = zip([
      ["r/data.pkl", pickle],
      ["r/byteorder", ascii("big")],
      ["r/data/0", floats],
    ]);
    await expect(TorchArchive.read(big)).rejects.toThrow(/byte order/);
    const read = await TorchArchive.read(archive(pickle));
    await expect(read.readTensor("y")).rejects.toThrow(ModelFormatError);
  });
});

describe("writeTorchArchive", () => {
  it("refuses what it cannot write and leaves nothing behind", async () => {
    const out = join(folder, "refused");
    const one = tensor("float32", [1], Float32Array.of(1));
    const write = (...tensors: Parameters<typeof writeTorchArchive>[1]): Promise<void> =>
      writeTorchArchive(join(out, "x.pt"), tensors);
    await expect(write({ name: "a", dtype: "float32", shape: [2], load: () => one })).rejects.toThrow(
      ShapeError,
    );
    await expect(
      write(
        ...tensorsToWrite([
          ["a", one],
          ["a", one],
        ]),
      ),
    ).rejects.toThrow(InputError);
    await expect(write({ name: "a", dtype: "uint32", shape: [1], load: () => one })).rejects.toThrow(
      /uint32/,
    );
    await expect(write({ name: "a", dtype: "float32", shape: [2 ** 30], load: () => one })).rejects.toThrow(
      /4 GiB/,
    );
    expect(await readdir(out).catch(() => [])).toEqual([]);
  });
});
