/** @file Adapters on the disk: written, read again, and refused where they are not what they should be. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readAdapter } from "../checkpoint/adapter/adapter-folder.ts";
import { InputError, ModelFormatError, UnsupportedError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { writeSafetensors } from "../files/safetensors-files.ts";
import { tensorsToWrite } from "../formats/tensor-source.ts";
import { readTrainedOn } from "../generate/trained-on.ts";
import type { LinearShape } from "../model/adapter.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import { float32Tensor } from "../tensor/tensor.ts";
import { nodePlatform } from "./platform.ts";
import { type AdapterToWrite, writeAdapterFolder } from "./write-adapter-folder.ts";

const SHAPES: readonly LinearShape[] = [
  { name: "layers.0.mlp.up_proj", inputs: 6, outputs: 10 },
  { name: "layers.0.mlp.down_proj", inputs: 10, outputs: 6 },
];
const normal = (count: number, seed: number) => new CounterRng(seed).fillNormal(new Float32Array(count));
const PREFIX = "base_model.model.layers.0.mlp.";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-adapter-"));
});
afterEach(() => rm(folder, { recursive: true }));

function adapter(): AdapterToWrite {
  const linears = SHAPES.map((shape, index) => {
    const rank = index === 0 ? 4 : 2;
    return {
      ...{ ...shape, rank },
      down: normal(rank * shape.inputs, index),
      up: normal(rank * shape.outputs, index + 7),
    };
  });
  return {
    ...{ base: "tiny", rank: 4, alpha: 8, dropout: 0, rankStabilised: false, linears },
    ranks: { "layers.0.mlp.down_proj": 2 },
  };
}

const read = () => readAdapter(new LocalFolder(folder), SHAPES, nodePlatform.sha256);

async function writeTensors(tensors: Record<string, readonly [number[], Float32Array]>): Promise<void> {
  const list = Object.entries(tensors).map(
    ([name, [shape, data]]) => [name, float32Tensor(shape, data)] as const,
  );
  await writeSafetensors(join(folder, "adapter_model.safetensors"), tensorsToWrite(list));
}

describe("an adapter's folder", () => {
  it("reads as it was written", async () => {
    const written = adapter();
    await writeAdapterFolder(folder, written);
    const { linears, digest } = await read();
    expect(linears.map(({ scale, ...linear }) => linear)).toEqual(written.linears);
    expect(linears.map(({ scale }) => scale)).toEqual([2, 4]);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it("tells what it was trained on, where that is known", async () => {
    const trained = { words: ["my", "mug"] };
    await writeAdapterFolder(folder, { ...adapter(), trained });
    expect(await readTrainedOn(new LocalFolder(folder))).toEqual(trained);
  });

  it("has another digest when a number changes", async () => {
    const written = adapter();
    await writeAdapterFolder(folder, written);
    const { digest } = await read();
    (written.linears[0]?.up as Float32Array)[3] = 2;
    await writeAdapterFolder(folder, written);
    expect((await read()).digest).not.toBe(digest);
  });

  it("is missing", async () => {
    await expect(read()).rejects.toThrow(InputError);
  });

  it("is refused as a pickle", async () => {
    await writeFile(join(folder, "adapter_config.json"), "{}");
    await writeFile(join(folder, "adapter_model.bin"), "pickle");
    await expect(read()).rejects.toThrow(UnsupportedError);
  });

  it.each<[string, Record<string, readonly [number[], Float32Array]>, RegExp]>([
    [
      "another width",
      {
        [`${PREFIX}up_proj.lora_A.weight`]: [[4, 7], normal(28, 1)],
        [`${PREFIX}up_proj.lora_B.weight`]: [[10, 4], normal(40, 2)],
      },
      /is \[4, 7\], and \[4, 6\]/,
    ],
    [
      "another rank",
      {
        [`${PREFIX}up_proj.lora_A.weight`]: [[5, 6], normal(30, 1)],
        [`${PREFIX}up_proj.lora_B.weight`]: [[10, 5], normal(50, 2)],
      },
      /is \[5, 6\], and \[4, 6\]/,
    ],
    ["one matrix", { [`${PREFIX}up_proj.lora_A.weight`]: [[4, 6], normal(24, 1)] }, /one matrix of two/],
    [
      "a linear that is not there",
      { [`${PREFIX}no_proj.lora_A.weight`]: [[4, 6], normal(24, 1)] },
      /no such linear/,
    ],
    [
      "numbers that are not finite",
      {
        [`${PREFIX}up_proj.lora_A.weight`]: [[4, 6], new Float32Array(24).fill(Number.NaN)],
        [`${PREFIX}up_proj.lora_B.weight`]: [[10, 4], normal(40, 2)],
      },
      /not finite/,
    ],
    ["no matrices", {}, /holds no matrices/],
  ])("is refused for %s", async (_, tensors, message) => {
    await writeAdapterFolder(folder, adapter());
    await writeTensors(tensors);
    await expect(read()).rejects.toThrow(ModelFormatError);
    await expect(read()).rejects.toThrow(message);
  });

  it("is refused for matrices that stand beside no linear", async () => {
    await writeAdapterFolder(folder, adapter());
    await writeTensors({ "base_model.model.embed_tokens.lora_embedding_A": [[4, 6], normal(24, 1)] });
    await expect(read()).rejects.toThrow(/lora_embedding_A.*no matrix of a linear/);
  });

  it("is refused where it was cut", async () => {
    await writeAdapterFolder(folder, adapter());
    const path = join(folder, "adapter_model.safetensors");
    await writeFile(path, (await readFile(path)).subarray(0, -8));
    await expect(read()).rejects.toThrow(ModelFormatError);
  });
});
