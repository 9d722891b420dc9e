/** @file Weight files: safetensors and their index, torch archives and the pickles in them. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeSafetensors } from "../../src/files/safetensors-files.ts";
import { writeTorchArchive } from "../../src/files/torch-archive-file.ts";
import { type ByteSource, MemorySource } from "../../src/formats/byte-source.ts";
import { readPickle } from "../../src/formats/pickle.ts";
import { SafetensorsFile } from "../../src/formats/safetensors.ts";
import { readWeightMap } from "../../src/formats/safetensors-set.ts";
import { type TensorSource, tensorsToWrite } from "../../src/formats/tensor-source.ts";
import { TorchArchive } from "../../src/formats/torch-archive.ts";
import { readZipDirectory } from "../../src/formats/zip.ts";
import { CounterRng } from "../../src/tensor/counter-rng.ts";
import { allocate, bytesOf, DTYPES } from "../../src/tensor/dtype.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";

import { type FuzzTarget, FuzzViolation, fixture, words } from "./target.ts";

const utf8 = new TextEncoder();

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
export class CountingSource extends MemorySource implements ByteSource {
  reads = 0;

  override async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    this.reads++;
    return super.read(offset, length);
  }
}

export async function safetensors(folder: string): Promise<FuzzTarget> {
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

export async function safetensorsIndex(): Promise<FuzzTarget> {
  const small = JSON.stringify({
    metadata: { a: [1, null, "x"] },
    weight_map: { b: "model-00001-of-00001.safetensors" },
  });
  return {
    name: "safetensors index",
    seeds: [await fixture("test/parity/models/v1/model.safetensors.index.json"), utf8.encode(small)],
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

export async function torchArchive(folder: string): Promise<FuzzTarget> {
  const path = join(folder, "seed.pt");
  const tensors = smallTensors((dtype) => !/^(uint[1-6]|float8)/.test(dtype) || dtype === "uint8");
  await writeTorchArchive(path, tensorsToWrite(tensors.slice(0, 3)));
  const written = await readFile(path);
  return {
    name: "torch archive",
    seeds: [await fixture("test/formats/nested.pt"), written, widenZip(written)],
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

export async function pickle(): Promise<FuzzTarget> {
  const seeds: Uint8Array[] = [];
  for (const path of ["formats/nested.pt", "parity/models/v1/vae/checkpoint.pt"]) {
    const bytes = await fixture(`test/${path}`);
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
