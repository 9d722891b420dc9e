import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeGrouped } from "../../test/support/write-grouped.ts";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { readConversionSource } from "./conversion-source.ts";
import { isQuantizedByOthers, repackModel } from "./repack-model.ts";

const MODEL = fileURLToPath(new URL("../../test/parity/models/v1", import.meta.url));
const SETTINGS = '{ "generation": { "cfg": 2 } }';
let scratch: string;
let meant: ReadonlyMap<string, Float32Array>;
let files: LocalFolder;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "nextstep-repack-"));
  const source = join(scratch, "awq");
  meant = await writeGrouped(MODEL, source, {
    ...{ words: "awq", bits: 4, groupSize: 32, symmetric: false, prefix: "model." },
    settings: { quant_method: "awq", bits: 4, group_size: 32, version: "gemm" },
    quantizes: (module) => module.startsWith("layers."),
  });
  await writeFile(join(source, "nextstep.json"), SETTINGS);
  files = new LocalFolder(source);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe("a checkpoint that others quantized", () => {
  it("is repacked without another rounding, to be mapped where it lies", async () => {
    const target = join(scratch, "repacked");
    const seen: number[] = [];
    const layout = await repackModel({
      ...{ files, target, bits: 4 },
      onProgress: ({ done, total }) => seen.push(done / total),
    });
    expect(layout).toMatch(/^awq \(gemm\), 4 bits in groups of 32/);
    expect(seen.at(-1)).toBe(1);
    await using original = await openModelFolder(files);
    await using model = await openModelFolder(new LocalFolder(target));
    expect(model.problems).toEqual(original.problems);
    expect(model.autoencoder).toBeDefined();
    expect(await readFile(join(target, "nextstep.json"), "utf8")).toBe(SETTINGS);
    for (const [name, values] of meant) expect(await model.tensors.read(name)).toEqual(values);
    const bias = "layers.0.self_attn.q_proj.bias";
    expect(await model.tensors.read(bias)).toEqual(await original.tensors.read(bias));
    for (const name of ["layers.0.mlp.up_proj.weight", "layers.2.mlp.up_proj.weight.scales"]) {
      const place = await model.tensors.weightSource({ name, dtype: "uint8", shape: [] });
      expect(place).toMatchObject({ file: join(target, "model.safetensors") });
    }
    expect([await isQuantizedByOthers(files), await isQuantizedByOthers(new LocalFolder(target))]).toEqual([
      true,
      false,
    ]);
  });

  it("keeps its bits, and leaves nothing behind when it is refused or cancelled", async () => {
    const target = join(scratch, "none");
    await expect(repackModel({ files, target, bits: 8 })).rejects.toThrow(
      /--bits: .*stored in 4 bits already/,
    );
    const signal = AbortSignal.abort();
    await expect(repackModel({ files, target, bits: 4, signal })).rejects.toThrow(/cancelled/);
    expect((await readdir(scratch)).filter((name) => name.includes("none"))).toEqual([]);
  });
});

it("GGUF is refused as the source of a conversion", async () => {
  const folder = join(scratch, "gguf");
  await mkdir(folder);
  await writeFile(join(folder, "model.gguf"), "GGUF");
  expect(await isQuantizedByOthers(new LocalFolder(folder))).toBe(false);
  await expect(readConversionSource(new LocalFolder(folder))).rejects.toThrow(/model\.gguf: is GGUF/);
});
