/** @file What is fuzzed: for each format valid files to start from, and a reader that uses everything it is given. */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import { writeSafetensors } from "../../src/files/safetensors-files.ts";
import { TarFile } from "../../src/files/tar-file.ts";
import { writeTorchArchive } from "../../src/files/torch-archive-file.ts";
import { nodeZlib } from "../../src/files/zlib.ts";
import { formatParameters, parametersSize, parseParameters } from "../../src/formats/a1111.ts";
import { type ByteSource, MemorySource } from "../../src/formats/byte-source.ts";
import { readPickle } from "../../src/formats/pickle.ts";
import { readPngChunks, writePngChunks } from "../../src/formats/png.ts";
import { findPngText, readPngTexts, setPngTexts } from "../../src/formats/png-text.ts";
import { SafetensorsFile } from "../../src/formats/safetensors.ts";
import { readWeightMap } from "../../src/formats/safetensors-set.ts";
import { readTarIndex } from "../../src/formats/tar.ts";
import { groupTarSamples } from "../../src/formats/tar-sample.ts";
import { type TensorSource, tensorsToWrite } from "../../src/formats/tensor-source.ts";
import { TorchArchive } from "../../src/formats/torch-archive.ts";
import { readDigitalSourceType, XMP_KEYWORD, xmpPacket } from "../../src/formats/xmp.ts";
import { readZipDirectory } from "../../src/formats/zip.ts";
import { CounterRng } from "../../src/tensor/counter-rng.ts";
import { allocate, bytesOf, DTYPES } from "../../src/tensor/dtype.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";

export interface FuzzTarget {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  readonly words: readonly Uint8Array[];
  /** Reads the whole input as a user would. May throw errors of this package, and no others. */
  run(bytes: Uint8Array): Promise<void>;
  /** Makes checksums right again, so that mutations reach what lies behind them. */
  repair?(bytes: Uint8Array): Uint8Array;
}

/** A claim that a reader broke about itself, beyond throwing the wrong thing. */
export class FuzzViolation extends Error {
  override readonly name = "FuzzViolation";
}

const root = new URL("../../test/", import.meta.url);
const fixture = (path: string): Promise<Uint8Array> => readFile(new URL(path, root));
const utf8 = new TextEncoder();
const words = (...list: string[]): Uint8Array[] => list.map((word) => Buffer.from(word, "latin1"));

/** All targets; building them reads and writes a few small files. */
export async function fuzzTargets(): Promise<FuzzTarget[]> {
  const folder = await mkdtemp(join(tmpdir(), "fuzz-"));
  try {
    return [
      await safetensors(folder),
      await safetensorsIndex(),
      await torchArchive(folder),
      await pickle(),
      await tar(folder),
      await png(),
      parameters(),
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A few small tensors of every kind. */
function smallTensors(supported: (dtype: Tensor["dtype"]) => boolean): [string, Tensor][] {
  const rng = new CounterRng(1);
  return DTYPES.filter(supported).map((dtype, i) => {
    const shape = [[], [3], [2, 3], [1, 2, 2], [0, 4]][i % 5]!;
    const count = shape.reduce((a, b) => a * b, 1);
    const data = allocate(dtype, count);
    const bytes = bytesOf(data);
    for (let b = 0; b < bytes.length; b++) bytes[b] = rng.below(2);
    return [`layers.${i}.${dtype}.weight`, tensor(dtype, shape, data)];
  });
}

/** Reads every tensor; what comes out must be what was announced, and never more than the file holds. */
async function readAll(source: TensorSource, fileBytes: number): Promise<void> {
  // Torch tensors may share a storage: bounded, lest a thousand views of one make the run slow.
  for (const [name, { dtype, shape, begin, end }] of [...source.tensors].slice(0, 50)) {
    if (!(begin >= 0 && begin <= end && end <= fileBytes)) {
      throw new FuzzViolation(`tensor "${name}" claims bytes ${begin} to ${end} of ${fileBytes}`);
    }
    const value = await source.readTensor(name);
    const count = shape.reduce((a, b) => a * b, 1);
    if (value.dtype !== dtype || value.data.length !== count || value.data.byteLength > fileBytes) {
      throw new FuzzViolation(`tensor "${name}" is not what was announced`);
    }
  }
  await source.close();
}

/** No single read may ask for more than the file holds; the bound is the source's, the count is ours. */
class CountingSource extends MemorySource implements ByteSource {
  reads = 0;

  override async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    this.reads++;
    return super.read(offset, length);
  }
}

async function safetensors(folder: string): Promise<FuzzTarget> {
  const path = join(folder, "seed.safetensors");
  const tensors = smallTensors(() => true);
  await writeSafetensors(path, tensorsToWrite(tensors), new Map([["format", "pt"]]));
  const all = await readFile(path);
  // Mostly data, so that mutations often leave the header whole.
  const large = tensor("float32", [16, 32], new Float32Array(512));
  await writeSafetensors(path, tensorsToWrite([...tensors.slice(0, 2), ["large", large]]));
  return {
    name: "safetensors",
    seeds: [all, await readFile(path)],
    words: words(
      "{",
      "}",
      '"dtype":"F32"',
      '"shape":[',
      '"data_offsets":[0,4]',
      "__metadata__",
      ',"a":',
      "\\u0000",
      " ",
    ),
    run: async (bytes) => readAll(await SafetensorsFile.read(new MemorySource(bytes)), bytes.length),
    // The header's length is a checksum of a kind: make it reach to the last brace.
    repair: (bytes) => {
      const end = Buffer.from(bytes).lastIndexOf("}}");
      if (end < 8) return bytes;
      new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(0, BigInt(end + 2 - 8), true);
      return bytes;
    },
  };
}

async function safetensorsIndex(): Promise<FuzzTarget> {
  const small = JSON.stringify({
    metadata: { a: [1, null, "x"] },
    weight_map: { b: "model-00001-of-00001.safetensors" },
  });
  return {
    name: "safetensors index",
    seeds: [await fixture("parity/models/v1/model.safetensors.index.json"), utf8.encode(small)],
    words: words("{", "}", "[", "]", '"', "\\", '"weight_map":', "../", ".safetensors", "\u00ff", "[[[[[[[["),
    run: async (bytes) => {
      const map = await readWeightMap(new MemorySource(bytes));
      for (const shard of map.values()) {
        if (/[/\\]|^\./.test(shard)) throw new FuzzViolation(`shard "${shard}" leaves the folder`);
      }
    },
  };
}

const PICKLE_WORDS = [
  ...words(
    "ctorch._utils\n_rebuild_tensor_v2\n",
    "ctorch\nFloatStorage\n",
    "ccollections\nOrderedDict\n",
    "cos\nsystem\n",
  ),
  ...words(
    "(",
    "t",
    "}",
    "]",
    "Q",
    "R",
    ")R",
    "b",
    "u.",
    "s",
    "e",
    "a",
    "\x85",
    "\x86",
    "\x87",
    "\x94",
    "h\x00",
    "q\x00",
  ),
  ...words(
    "K\x00",
    "J\xff\xff\xff\xff",
    "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    "X\xff\xff\xff\xff",
    "\x93",
  ),
];

async function torchArchive(folder: string): Promise<FuzzTarget> {
  const path = join(folder, "seed.pt");
  const tensors = smallTensors((dtype) => !/^(uint[1-6]|float8)/.test(dtype) || dtype === "uint8");
  await writeTorchArchive(path, tensorsToWrite(tensors.slice(0, 3)));
  const written = await readFile(path);
  return {
    name: "torch archive",
    seeds: [await fixture("formats/nested.pt"), written, widenZip(written)],
    words: [
      ...PICKLE_WORDS,
      ...words(
        "PK\x01\x02",
        "PK\x03\x04",
        "PK\x05\x06",
        "PK\x06\x06",
        "PK\x06\x07",
        "/data.pkl",
        "\x01\x00\x18\x00",
      ),
    ],
    run: async (bytes) => {
      const source = new CountingSource(bytes);
      await readAll(await TorchArchive.read(source), bytes.length);
      // A directory entry takes 46 bytes and costs a read; the tensors cost fifty more at most.
      if (source.reads > bytes.length / 46 + 60) throw new FuzzViolation(`${source.reads} reads`);
    },
  };
}

/** The same archive with its end record in zip64 form. */
function widenZip(zip: Uint8Array): Uint8Array {
  const end = zip.subarray(zip.length - 22);
  const view = new DataView(end.buffer, end.byteOffset);
  const wide = new DataView(new ArrayBuffer(56 + 20));
  wide.setUint32(0, 0x06064b50, true);
  wide.setBigUint64(4, 44n, true);
  wide.setBigUint64(24, BigInt(view.getUint16(10, true)), true);
  wide.setBigUint64(32, BigInt(view.getUint16(10, true)), true);
  wide.setBigUint64(40, BigInt(view.getUint32(12, true)), true);
  wide.setBigUint64(48, BigInt(view.getUint32(16, true)), true);
  wide.setUint32(56, 0x07064b50, true);
  wide.setBigUint64(64, BigInt(zip.length - 22), true);
  wide.setUint32(72, 1, true);
  const saturated = new Uint8Array(end).fill(0xff, 8, 20);
  return Buffer.concat([zip.subarray(0, zip.length - 22), new Uint8Array(wide.buffer), saturated]);
}

async function pickle(): Promise<FuzzTarget> {
  const seeds: Uint8Array[] = [];
  for (const path of ["formats/nested.pt", "parity/models/v1/vae/checkpoint.pt"]) {
    const bytes = await fixture(path);
    for (const [name, { begin, end }] of await readZipDirectory(new MemorySource(bytes))) {
      if (name.endsWith("/data.pkl")) seeds.push(new Uint8Array(bytes.subarray(begin, end)));
    }
  }
  return {
    name: "torch pickle",
    seeds,
    words: PICKLE_WORDS,
    run: async (bytes) => {
      readPickle(bytes, "pickle");
    },
  };
}

async function tar(folder: string): Promise<FuzzTarget> {
  const path = join(folder, "seed.tar");
  const writer = await TarFile.create(path);
  await writer.add("a.json", '{"caption":"<image_0>"}');
  await writer.add("a-0.png", new Uint8Array(600));
  await writer.add("a-1.png", "");
  await writer.add("b.jpg", "jpg");
  await writer.add("b.txt", "text");
  await writer.close();
  return {
    name: "tar",
    seeds: [
      await readFile(path),
      ...(await Promise.all(["pax", "gnu", "ustar"].map((name) => fixture(`formats/${name}.tar`)))),
    ],
    words: words(
      "ustar\x0000",
      "ustar  \0",
      "x",
      "L",
      "g",
      "S",
      "\x80\0\0\0\0\0\0\0\0\0\0\x01",
      "16 path=a/b.txt\n",
      "12 size=100\n",
      "-1.png",
    ),
    run: async (bytes) => {
      const source = new CountingSource(bytes);
      const entries = await readTarIndex(source);
      if (source.reads > bytes.length / 256 + 2) throw new FuzzViolation(`${source.reads} reads`);
      for (const { name, offset, size } of entries) {
        if (offset + size > bytes.length) throw new FuzzViolation(`"${name}" lies past the end`);
        await source.read(offset, size);
      }
      const samples = groupTarSamples(entries);
      const members = samples.flatMap((s) => [
        ...s.images,
        ...s.others,
        ...(s.json ? [s.json] : []),
        ...(s.text ? [s.text] : []),
      ]);
      if (new Set(members).size !== members.length) throw new FuzzViolation("a member is in two samples");
    },
    repair: repairTar,
  };
}

/** Fresh checksums for every block that looks like a header. */
function repairTar(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const header = bytes.subarray(at, at + 512);
    if (Buffer.from(header.subarray(257, 262)).toString("latin1") !== "ustar") continue;
    header.fill(0x20, 148, 156);
    const sum = header.reduce((a, b) => a + b, 0);
    header.set(utf8.encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  }
  return bytes;
}

async function png(): Promise<FuzzTarget> {
  const picture = await fixture("parity/cases/edit-wide.png");
  const marked = setPngTexts(picture, [
    { keyword: "parameters", text: RECIPE },
    { keyword: "nextstep", text: '{"prompt":"猫"}' },
    { keyword: XMP_KEYWORD, text: xmpPacket("trainedAlgorithmicMedia"), kind: "iTXt" },
  ]);
  const chunks = readPngChunks(marked);
  const packed = deflateSync(Buffer.from("packed ".repeat(50)));
  chunks.splice(1, 0, { type: "zTXt", data: Buffer.concat([Buffer.from("z\0\0"), packed]) });
  chunks.splice(1, 0, { type: "iTXt", data: Buffer.concat([Buffer.from("i\0\x01\0en\0key\0"), packed]) });
  // Pixels are not read here: few of them leave more mutations for the texts.
  const small = chunks.map(({ type, data }) => ({
    type,
    data: type === "IDAT" ? data.subarray(0, 40) : data,
  }));
  return {
    name: "png text",
    seeds: [writePngChunks(small), picture],
    words: words(
      "tEXt",
      "iTXt",
      "zTXt",
      "IDAT",
      "IEND",
      "IHDR",
      "parameters\0",
      "k\0\0\0\0\0",
      "k\0\x01\0\0\0",
      "\0",
    ),
    run: async (bytes) => {
      for (const { keyword, text } of await readPngTexts(bytes, nodeZlib)) {
        if (keyword === "parameters") parseParameters(text);
        if (keyword === XMP_KEYWORD) readDigitalSourceType(text);
      }
      const added = setPngTexts(bytes, [{ keyword: "added", text: "\u2713" }]);
      if (findPngText(await readPngTexts(added, nodeZlib), "added") === undefined)
        throw new FuzzViolation("text is lost");
    },
    repair: repairPng,
  };
}

/** Fresh checksums for the chunks that can still be walked. */
function repairPng(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) break;
    view.setUint32(end, crc32(bytes.subarray(at + 4, end)));
    at = end + 4;
  }
  return bytes;
}

const RECIPE =
  "a red apple, on a table\nNegative prompt: blurry\nlow quality\n" +
  'Steps: 28, Sampler: NextStep SDE, CFG scale: 7.5, Seed: 42, Size: 512x768, Model: "a, \\"b\\": c", Version: 1';

function parameters(): FuzzTarget {
  return {
    name: "a1111 parameters",
    seeds: [utf8.encode(RECIPE), utf8.encode('猫\nNegative prompt:\nab: 1, cd: , ef: "x\\u0041", Size: 1x1')],
    words: words(
      ":",
      ",",
      '"',
      "\\",
      "\n",
      "Negative prompt:",
      "Size: 9x9,",
      'k1: "a, b",',
      "ab: ",
      "\u00e9",
    ),
    run: async (bytes) => {
      const read = parseParameters(new TextDecoder().decode(bytes));
      parametersSize(read);
      const plain = { ...read, prompt: "", negativePrompt: "" };
      if (read.settings.size >= 3) {
        const again = parseParameters(formatParameters(plain));
        const same = JSON.stringify([...again.settings]) === JSON.stringify([...read.settings]);
        if (!same) throw new FuzzViolation("settings do not come back");
      }
    },
  };
}
