/** @file safetensors: the published layout byte for byte, and every way a header can lie. */

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { copyTensors } from "../../test/support/copy-tensors.ts";
import { ConfigError, InputError, ModelFormatError, ShapeError, UnsupportedError } from "../errors.ts";
import { openSafetensors, writeSafetensors, writeShardedSafetensors } from "../files/safetensors-files.ts";
import { tensor } from "../tensor/tensor.ts";
import { MemorySource } from "./byte-source.ts";
import { SafetensorsFile } from "./safetensors.ts";
import { readWeightMap, SafetensorsSet } from "./safetensors-set.ts";
import { tensorsToWrite } from "./tensor-source.ts";

const models = fileURLToPath(new URL("../../test/parity/models/", import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

function file(header: string, dataBytes = 0, statedLength?: number): MemorySource {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(statedLength ?? json.length), true);
  bytes.set(json, 8);
  for (let i = 0; i < dataBytes; i++) bytes[8 + json.length + i] = i;
  return new MemorySource(bytes, "test.safetensors");
}

const entry = (dtype: string, shape: string, begin: number | string, end: number | string): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

describe("SafetensorsFile", () => {
  it("reads tensors, order, metadata and unaligned data", async () => {
    const header = `{"__metadata__":{"format":"pt","k\\u00e4":"v\\n"}, "b":${entry("U8", "[3]", 0, 3)},
      "a":${entry("F32", "[1,1]", 3, 7)},"e":${entry("F16", "[0,5]", 7, 7)},"s":${entry("BF16", "[]", 7, 9)} }   `;
    const read = await SafetensorsFile.read(file(header, 9));
    expect([...read.tensors.keys()]).toEqual(["b", "a", "e", "s"]);
    expect([...read.metadata]).toEqual([
      ["format", "pt"],
      ["kä", "v\n"],
    ]);
    const start = 8 + new TextEncoder().encode(header).length;
    expect(read.tensors.get("a")).toMatchObject({ begin: start + 3, end: start + 7, contiguous: true });
    expect(await read.readTensor("b")).toEqual(tensor("uint8", [3], Uint8Array.of(0, 1, 2)));
    const bits = new DataView(Uint8Array.of(3, 4, 5, 6).buffer).getFloat32(0, true);
    expect(await read.readTensor("a")).toEqual(tensor("float32", [1, 1], Float32Array.of(bits)));
    expect((await read.readTensor("e")).data.length).toBe(0);
    expect(await read.readTensor("s")).toEqual(tensor("bfloat16", [], Uint16Array.of(0x0807)));
    await expect(read.readTensor("none")).rejects.toThrow(ModelFormatError);
  });

  it.each<[string, MemorySource, RegExp]>([
    ["an empty file", new MemorySource(new Uint8Array(3)), /too short/],
    ["a header past the end", file("{}", 0, 3), /past the end/],
    ["a header length of 2^64 - 1", new MemorySource(new Uint8Array(16).fill(255)), /past the end/],
    ["no JSON", file("nonsense"), /"{" expected/],
    ["bytes that are not UTF-8", new MemorySource(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff)), /UTF-8/],
    ["text after the object", file("{} x"), /the end expected/],
    ["an unclosed object", file('{"a":'), /expected/],
    ["a duplicate name", file(`{"a":${entry("U8", "[0]", 0, 0)},"a":${entry("U8", "[0]", 0, 0)}}`), /twice/],
    ["a duplicate field", file('{"a":{"dtype":"U8","dtype":"U8"}}'), /twice/],
    ["a missing field", file('{"a":{"dtype":"U8","shape":[]}}'), /lacks/],
    ["an unknown field", file('{"a":{"dtype":"U8","strides":[1]}}'), /unknown field/],
    ["one offset", file('{"a":{"dtype":"U8","shape":[],"data_offsets":[0]}}', 1), /lacks/],
    ["three offsets", file('{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,2]}}', 1), /more than 2/],
    ["a negative size", file(`{"a":${entry("U8", "[-1]", 0, 1)}}`, 1), /non-negative/],
    ["a fractional size", file(`{"a":${entry("U8", "[1.0]", 0, 1)}}`, 1), /non-negative/],
    ["a size past 2^53", file(`{"a":${entry("U8", "[9007199254740993]", 0, 1)}}`, 1), /non-negative/],
    [
      "sizes whose product overflows",
      file(`{"a":${entry("U8", "[4294967296,4294967296]", 0, 0)}}`),
      /counted/,
    ],
    ["too many axes", file(`{"a":${entry("U8", `[${"1,".repeat(32)}1]`, 0, 1)}}`, 1), /more than 32/],
    ["bytes that do not fit the shape", file(`{"a":${entry("F32", "[2]", 0, 7)}}`, 7), /takes 8/],
    ["reversed offsets", file(`{"a":${entry("U8", "[0]", 1, 0)}}`, 1), /takes 0/],
    ["an overlap", file(`{"a":${entry("U8", "[2]", 0, 2)},"b":${entry("U8", "[2]", 1, 3)}}`, 3), /begins at/],
    ["a hole", file(`{"a":${entry("U8", "[1]", 0, 1)},"b":${entry("U8", "[1]", 2, 3)}}`, 3), /begins at/],
    ["a hole in front", file(`{"a":${entry("U8", "[1]", 1, 2)}}`, 2), /begins at/],
    ["truncated data", file(`{"a":${entry("U8", "[4]", 0, 4)}}`, 3), /the file at/],
    ["bytes after the data", file(`{"a":${entry("U8", "[4]", 0, 4)}}`, 5), /the file at/],
    ["metadata that is no string", file('{"__metadata__":{"a":1}}'), /a string expected/],
    ["a control character in a string", file('{"a\u0001":{}}'), /control/],
    ["a malformed escape", file('{"\\x":{}}'), /escape/],
    ["an unclosed string", file('{"abc'), /closed string/],
    ["a string that ends in its escape", file('{"abc\\'), /closed string/],
  ])("refuses %s", async (_what, source, message) => {
    const failure = SafetensorsFile.read(source);
    await expect(failure).rejects.toThrow(ModelFormatError);
    await expect(failure).rejects.toThrow(message);
  });

  it("names a dtype that it cannot hold", async () => {
    const failure = SafetensorsFile.read(file(`{"a":${entry("F4", "[2]", 0, 1)}}`, 1));
    await expect(failure).rejects.toThrow(UnsupportedError);
    await expect(failure).rejects.toThrow(/F4/);
  });

  it("takes names that objects would treat specially", async () => {
    const header = `{"__proto__":${entry("U8", "[1]", 0, 1)},"1":${entry("U8", "[1]", 1, 2)},"0":${entry("U8", "[1]", 2, 3)}}`;
    const read = await SafetensorsFile.read(file(header, 3));
    expect([...read.tensors.keys()]).toEqual(["__proto__", "1", "0"]);
    const path = join(folder, "special.safetensors");
    await writeSafetensors(path, copyTensors(read));
    const again = await openSafetensors(path);
    expect([...again.tensors.keys()]).toEqual(["__proto__", "1", "0"]);
    expect([...(await again.readTensor("0")).data]).toEqual([2]);
    await again.close();
  });
});

describe("published layouts", () => {
  it.each([
    "train/model.safetensors",
    "v1/model-00001-of-00003.safetensors",
    "v1/model-00002-of-00003.safetensors",
    "v1.1/model-00002-of-00002.safetensors",
  ])("writes %s back byte for byte", async (name) => {
    const source = await openSafetensors(join(models, name));
    const copy = join(folder, "copy.safetensors");
    await writeSafetensors(copy, copyTensors(source), source.metadata);
    await source.close();
    expect((await readFile(copy)).equals(await readFile(join(models, name)))).toBe(true);
  });

  it.each(["v1", "v1.1"])("opens the shards of %s by folder and by index, and copies them", async (model) => {
    const index = JSON.parse(await readFile(join(models, model, "model.safetensors.index.json"), "utf8"));
    const set = await openSafetensors(join(models, model));
    expect(set).toBeInstanceOf(SafetensorsSet);
    expect(Object.fromEntries(Array.from(set.tensors, ([name, t]) => [name, t.file]))).toEqual(
      Object.fromEntries(
        Object.entries(index.weight_map).map(([name, shard]) => [name, join(models, model, String(shard))]),
      ),
    );
    const out = join(folder, `copy-${model}`);
    await writeShardedSafetensors(out, copyTensors(set), { maxShardBytes: 300_000, metadata: set.metadata });
    const copy = await openSafetensors(join(out, "model.safetensors.index.json"));
    expect([...copy.tensors.keys()]).toEqual([...set.tensors.keys()]);
    for (const name of set.tensors.keys()) {
      expect(await copy.readTensor(name)).toEqual(await set.readTensor(name));
    }
    const shards = (await readdir(out)).filter((name) => name.endsWith(".safetensors"));
    expect(shards.length).toBeGreaterThan(5);
    expect((await readdir(out)).filter((name) => name.startsWith("."))).toEqual([]);
    expect([...copy.metadata]).toEqual([["format", "pt"]]);
    await set.close();
    await copy.close();
  });

  it("writes an index like the published ones", async () => {
    const set = await openSafetensors(join(models, "v1"));
    const out = join(folder, "index");
    await writeShardedSafetensors(out, copyTensors(set), { maxShardBytes: 2 ** 40 });
    await set.close();
    const published = await readFile(join(models, "v1/model.safetensors.index.json"), "utf8");
    const written = await readFile(join(out, "model.safetensors.index.json"), "utf8");
    const oneShard = published.replace(/model-0000\d-of-00003/g, "model-00001-of-00001");
    expect(written.trimEnd()).toBe(oneShard.trimEnd());
    expect(written.endsWith("}\n")).toBe(true);
  });
});

describe("index", () => {
  const weightMap = (text: string): Promise<ReadonlyMap<string, string>> =>
    readWeightMap(new MemorySource(new TextEncoder().encode(text), "index"));

  it("keeps order and passes over what it does not need", async () => {
    const map = await weightMap(
      '{"metadata":{"total_size":-1.5e3,"x":[null,true,{}]},"weight_map":{"b":"s.safetensors","a":"s.safetensors"}}',
    );
    expect([...map]).toEqual([
      ["b", "s.safetensors"],
      ["a", "s.safetensors"],
    ]);
  });

  it.each([
    "../x.safetensors",
    "a/b.safetensors",
    "a\\\\b.safetensors",
    "/x.safetensors",
    "c:x.safetensors",
    "x.bin",
    ".safetensors",
    "..safetensors",
    "",
  ])("refuses %j as a shard", async (shard) => {
    await expect(weightMap(`{"weight_map":{"a":"${shard}"}}`)).rejects.toThrow(/as a shard/);
  });

  it.each<[string, RegExp]>([
    ["{}", /no weight_map/],
    ["[]", /expected/],
    ['{"weight_map":{"a":"s.safetensors","a":"s.safetensors"}}', /twice/],
    ['{"weight_map":{"a":1}}', /a string expected/],
    [`{"metadata":${"[".repeat(100)}${"]".repeat(100)}}`, /deeply/],
    ['{"metadata":nul}', /a value expected/],
  ])("refuses %j", async (text, message) => {
    await expect(weightMap(text)).rejects.toThrow(message);
  });

  it("refuses an index whose shard lacks the tensor, and reports tensors that it does not list", async () => {
    const out = join(folder, "liar");
    const one = tensor("uint8", [1], Uint8Array.of(1));
    await writeSafetensors(
      join(out, "model.safetensors"),
      tensorsToWrite([
        ["a", one],
        ["b", one],
      ]),
    );
    const write = (map: object): Promise<void> =>
      writeFile(join(out, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
    await write({ c: "model.safetensors" });
    await expect(openSafetensors(out)).rejects.toThrow(/no tensor "c"/);
    await write({ a: "gone.safetensors" });
    await expect(openSafetensors(out)).rejects.toThrow(InputError);
    await write({ b: "model.safetensors" });
    const set = await openSafetensors(out);
    expect(set instanceof SafetensorsSet && set.unlisted).toEqual(["a"]);
    await expect(set.readTensor("a")).rejects.toThrow(ModelFormatError);
    await set.close();
  });

  it("says what a folder without weights lacks", async () => {
    await expect(openSafetensors(join(models, "v1/vae"))).rejects.toThrow(/neither model.safetensors/);
  });
});

describe("writers", () => {
  const one = tensor("float32", [1], Float32Array.of(1));

  it("refuse what they cannot write and leave nothing behind", async () => {
    const out = join(folder, "refused");
    const lying = { name: "a", dtype: "float32", shape: [2], load: () => one } as const;
    await expect(writeSafetensors(join(out, "x"), [lying])).rejects.toThrow(ShapeError);
    await expect(
      writeShardedSafetensors(out, [...tensorsToWrite([["b", one]]), lying], { maxShardBytes: 4 }),
    ).rejects.toThrow(ShapeError);
    await expect(
      writeSafetensors(
        join(out, "x"),
        tensorsToWrite([
          ["a", one],
          ["a", one],
        ]),
      ),
    ).rejects.toThrow(InputError);
    await expect(writeSafetensors(join(out, "x"), tensorsToWrite([["__metadata__", one]]))).rejects.toThrow(
      InputError,
    );
    await expect(writeShardedSafetensors(out, [], { maxShardBytes: 0 })).rejects.toThrow(ConfigError);
    expect(await readdir(out)).toEqual([]);
  });

  it("give a large tensor a shard of its own", async () => {
    const big = tensor("uint8", [10], new Uint8Array(10));
    const out = join(folder, "large");
    await writeShardedSafetensors(
      out,
      tensorsToWrite([
        ["a", one],
        ["b", big],
        ["c", one],
        ["d", one],
      ]),
      { maxShardBytes: 8 },
    );
    const map = await readWeightMap(
      new MemorySource(await readFile(join(out, "model.safetensors.index.json"))),
    );
    expect([...map.values()].map((shard) => Number(shard.slice(6, 11)))).toEqual([1, 2, 3, 3]);
  });
});
