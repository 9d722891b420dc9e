import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyTensors } from "../../test/support/copy-tensors.ts";
import { openTorchArchive } from "../../test/support/open-torch-archive.ts";
import { InputError, ModelFormatError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { openSafetensors, writeSafetensors } from "../files/safetensors-files.ts";
import { type TensorToWrite, tensorsToWrite } from "../formats/tensor-source.ts";
import { generationPositions } from "../model/generation-position.ts";
import { modelParameters } from "../model/parameter-list.ts";
import { contentsOf, writeModelFolder } from "../node/write-model-folder.ts";
import { bytesOf } from "../tensor/dtype.ts";
import { float32Tensor } from "../tensor/tensor.ts";
import { openAutoencoderFolder } from "./autoencoder-folder.ts";
import { convertTensors } from "./convert-dtype.ts";
import { openModelFolder, readModelFolder } from "./model-folder.ts";
import type { TensorSet } from "./tensor-set.ts";

const MODELS = fileURLToPath(new URL("../../test/parity/models/", import.meta.url));

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "nextstep-checkpoint-"));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

/** Copies a parity model and rewrites its weights as one file. */
async function rewritten(
  model: string,
  change: (tensors: TensorToWrite[]) => TensorToWrite[],
): Promise<string> {
  const folder = join(scratch, "changed");
  await cp(join(MODELS, model), folder, { recursive: true });
  const source = await openSafetensors(join(MODELS, model));
  const changed = change(copyTensors(source));
  for (const name of await readdir(folder)) if (name.includes(".safetensors")) await rm(join(folder, name));
  await writeSafetensors(join(folder, "model.safetensors"), changed);
  await source.close();
  return folder;
}

async function editConfig(folder: string, edit: Record<string, unknown>): Promise<void> {
  const path = join(folder, "config.json");
  const json: unknown = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...(json as object), ...edit }));
}

/** @param archives both are torch archives, which have strides to keep. */
async function expectSameBytes(a: TensorSet, b: TensorSet, archives = false): Promise<void> {
  expect([...b.entries.keys()].sort()).toEqual([...a.entries.keys()].sort());
  for (const [name, { dtype, shape }] of a.entries) {
    const [left, right] = [await a.readStored(name), await b.readStored(name)];
    expect([right.dtype, right.shape]).toEqual([dtype, shape]);
    expect(Buffer.compare(bytesOf(left.data), bytesOf(right.data)), name).toBe(0);
    if (archives) expect(b.entry(name).stored.strides, name).toEqual(a.entry(name).stored.strides);
  }
}

describe("openModelFolder", () => {
  it.each(["v1", "v1.1", "train"])("opens the %s layout without problems", async (model) => {
    await using folder = await openModelFolder(new LocalFolder(join(MODELS, model)));
    expect(folder.problems).toEqual([]);
    expect(folder.unknownKeys).toEqual([]);
    expect(folder.release).toBe(model === "v1" ? "v1" : "v1.1");
    expect(folder.config.attentionBias).toBe(true);
    expect(folder.config.outputBias).toBe(false);
    expect(folder.autoencoder?.problems ?? []).toEqual([]);
    for (const { name, shape } of modelParameters(folder.config)) {
      const values = await folder.tensors.read(name);
      expect(values.length).toBe(shape.reduce((a, b) => a * b, 1));
      expect(values.every(Number.isFinite)).toBe(true);
    }
  });

  it("widens mixed dtypes to the stored value", async () => {
    await using folder = await openModelFolder(new LocalFolder(join(MODELS, "v1.1")));
    const dtypes = new Set([...folder.tensors.entries.values()].map(({ dtype }) => dtype));
    expect(dtypes.size).toBeGreaterThan(1);
    const half = [...folder.tensors.entries.values()].find(({ dtype }) => dtype === "bfloat16");
    if (half === undefined) throw new Error("no bfloat16 tensor");
    const { data } = await folder.tensors.readStored(half.name);
    const widened = await folder.tensors.read(half.name);
    const bits = new Uint32Array(widened.buffer, widened.byteOffset, widened.length);
    for (let i = 0; i < 10; i++) expect((bits[i] as number) >>> 16).toBe(Number(data[i]));
  });

  it("prefers a stored generation position table to the formula, and falls back on the formula", async () => {
    await using stored = await openModelFolder(new LocalFolder(join(MODELS, "v1")));
    const formula = generationPositions(32, stored.config.hiddenSize);
    expect(Array.from((await stored.generationPositions()) ?? [])).toEqual(Array.from(formula));
    const twice = await rewritten("v1", (tensors) =>
      tensors.map((tensor) =>
        tensor.name === "gen_pos_embed"
          ? {
              ...tensor,
              load: () =>
                float32Tensor(
                  tensor.shape,
                  formula.map((x) => 2 * x),
                ),
            }
          : tensor,
      ),
    );
    await using changed = await openModelFolder(new LocalFolder(twice));
    expect((await changed.generationPositions())?.[5]).toBe(2 * (formula[5] as number));
    await rm(twice, { recursive: true });
    const without = await rewritten("v1", (tensors) =>
      tensors.filter(({ name }) => name !== "gen_pos_embed"),
    );
    await using absent = await openModelFolder(new LocalFolder(without));
    expect(Array.from((await absent.generationPositions()) ?? [])).toEqual(Array.from(formula));
  });

  it("gives the output projection a bias exactly when the tensor exists", async () => {
    const folder = await rewritten("v1", (tensors) => [
      ...tensors,
      ...Array.from({ length: 3 }, (_, layer) => ({
        name: `layers.${layer}.self_attn.o_proj.bias`,
        dtype: "float32" as const,
        shape: [64],
        load: () => float32Tensor([64], new Float32Array(64)),
      })),
    ]);
    await using opened = await openModelFolder(new LocalFolder(folder));
    expect(opened.config.outputBias).toBe(true);
    expect(opened.problems).toEqual([]);
  });

  it("strips `model.` and takes the embedding for a tied LM head", async () => {
    const folder = await rewritten("train", (tensors) =>
      tensors
        .filter(({ name }) => name !== "lm_head.weight" && !name.startsWith("image_"))
        .map((tensor) => ({ ...tensor, name: `model.${tensor.name}` })),
    );
    await editConfig(folder, { tie_word_embeddings: true, model_type: "qwen2" });
    await using opened = await openModelFolder(new LocalFolder(folder), { startWeights: true });
    expect(opened.hasImageModules).toBe(false);
    expect(opened.tensors.has("layers.1.mlp.up_proj.weight")).toBe(true);
    await expect(openModelFolder(new LocalFolder(folder))).rejects.toThrow(
      /language model without image modules/,
    );
  });

  it("refuses a missing tensor by name", async () => {
    const folder = await rewritten("train", (tensors) =>
      tensors.filter(({ name }) => name !== "layers.1.mlp.up_proj.weight"),
    );
    await expect(openModelFolder(new LocalFolder(folder))).rejects.toThrow(ModelFormatError);
    await expect(openModelFolder(new LocalFolder(folder))).rejects.toThrow(
      /layers\.1\.mlp\.up_proj\.weight.*is missing/,
    );
  });

  it("refuses start weights that lack more than the image modules", async () => {
    const folder = await rewritten("train", (tensors) =>
      tensors.filter(({ name }) => name !== "norm.weight" && !name.startsWith("image_")),
    );
    await expect(openModelFolder(new LocalFolder(folder), { startWeights: true })).rejects.toThrow(
      /norm\.weight/,
    );
  });

  it("refuses a shape that the configuration does not give", async () => {
    const folder = await rewritten("train", (tensors) => tensors);
    await editConfig(folder, { vocab_size: 561 });
    await expect(openModelFolder(new LocalFolder(folder))).rejects.toThrow(
      /has shape \[560, 32\], expected \[561, 32\]/,
    );
  });

  it("lists extra tensors, unknown keys and a far autoencoder, and opens", async () => {
    const folder = await rewritten("v1", (tensors) => [
      ...tensors,
      ...tensorsToWrite([["surplus", float32Tensor([1], new Float32Array(1))]]),
    ]);
    await editConfig(folder, { vae_name_or_path: "../elsewhere", mystery: 1 });
    await using opened = await openModelFolder(new LocalFolder(folder));
    expect(opened.problems.map(({ kind, subject }) => [kind, subject])).toEqual([
      ["extra", "surplus"],
      ["unknown-key", "mystery"],
      ["location", "vae_name_or_path"],
    ]);
    expect(opened.autoencoder?.path).toBe(join(folder, "vae"));
  });

  it("reads a broken folder for inspection without throwing", async () => {
    const folder = await rewritten("train", (tensors) => tensors.slice(1));
    await using read = await readModelFolder(new LocalFolder(folder));
    expect(read.problems.filter(({ fatal }) => fatal)).toHaveLength(1);
  });

  it("says what is missing where there is no model", async () => {
    await expect(openModelFolder(new LocalFolder(scratch))).rejects.toThrow(/config\.json.*no such file/);
    await writeFile(join(scratch, "config.json"), "{");
    await expect(openModelFolder(new LocalFolder(scratch))).rejects.toThrow(/is not JSON/);
  });
});

describe("autoencoder folders", () => {
  it("reads diffusers' names", async () => {
    const official = await openTorchArchive(join(MODELS, "v1.1", "vae", "checkpoint.pt"));
    const folder = join(scratch, "vae");
    await cp(join(MODELS, "v1.1", "vae"), folder, { recursive: true });
    await rm(join(folder, "checkpoint.pt"));
    const renamed = copyTensors(official).map((tensor) => {
      const name = tensor.name
        .replace(/\.up\.(\d)\./, (_, level: string) => `.up_blocks.${3 - Number(level)}.`)
        .replace(".down.", ".down_blocks.")
        .replace(".downsample.", ".downsamplers.0.")
        .replace(".upsample.", ".upsamplers.0.")
        .replace("block.", "resnets.")
        .replace("nin_shortcut", "conv_shortcut")
        .replace("norm_out", "conv_norm_out")
        .replace("mid.block_1.", "mid_block.resnets.0.")
        .replace("mid.block_2.", "mid_block.resnets.1.")
        .replace("mid.attn_1.norm", "mid_block.attentions.0.group_norm")
        .replace("mid.attn_1.proj_out", "mid_block.attentions.0.to_out.0")
        .replace(/mid\.attn_1\.([qkv])\./, "mid_block.attentions.0.to_$1.");
      const isMatrix = name.includes(".to_") && tensor.shape.length === 4;
      const shape = isMatrix ? tensor.shape.slice(0, 2) : tensor.shape;
      return { ...tensor, name, shape, load: async () => ({ ...(await tensor.load()), shape }) };
    });
    await writeSafetensors(join(folder, "diffusion_pytorch_model.safetensors"), renamed);
    await using converted = await openAutoencoderFolder(new LocalFolder(folder));
    await using original = await openAutoencoderFolder(new LocalFolder(join(MODELS, "v1.1", "vae")));
    expect(converted.problems).toEqual([]);
    expect(renamed.filter(({ name }) => official.tensors.has(name)).map(({ name }) => name)).toEqual(
      [...official.tensors.keys()].filter((name) => /\.conv_(in|out)\./.test(name)),
    );
    await expectSameBytes(original.tensors, converted.tensors);
    await official.close();
  });

  it("takes the defaults of the release for missing keys", async () => {
    const folder = join(scratch, "vae");
    await cp(join(MODELS, "v1", "vae"), folder, { recursive: true });
    const json = { resolution: 256, ch: 32, ch_mult: [1, 1, 1, 1], num_res_blocks: 1, z_channels: 16 };
    await writeFile(join(folder, "config.json"), JSON.stringify(json));
    await using first = await openAutoencoderFolder(new LocalFolder(folder), "v1");
    expect(first.config).toMatchObject({
      scalingFactor: 0.3611,
      shiftFactor: 0.1159,
      deterministic: false,
      encoderNorm: false,
      patchSize: undefined,
    });
    await using later = await openAutoencoderFolder(new LocalFolder(folder), "v1.1");
    expect(later.config).toMatchObject({ scalingFactor: 1, shiftFactor: 0, encoderNorm: true, patchSize: 1 });
    await writeFile(join(folder, "config.json"), JSON.stringify({ ...json, psz: null, encoder_norm: true }));
    await using patchless = await openAutoencoderFolder(new LocalFolder(folder), "v1.1");
    expect(patchless.config.encoderNorm).toBe(false);
    await using patchlessFirst = await openAutoencoderFolder(new LocalFolder(folder), "v1");
    expect(patchlessFirst.config.encoderNorm).toBe(true);
  });

  it("refuses missing weights", async () => {
    await cp(join(MODELS, "v1", "vae", "config.json"), join(scratch, "vae", "config.json"), {
      recursive: true,
    });
    await expect(openAutoencoderFolder(new LocalFolder(join(scratch, "vae")))).rejects.toThrow(
      /holds no autoencoder weights/,
    );
  });
});

describe("writeModelFolder", () => {
  it.each([
    ["v1", undefined],
    ["v1.1", 300_000],
    ["train", 200_000],
  ])("writes %s back with the same bytes in every tensor", async (model, maxShardBytes) => {
    await using original = await openModelFolder(new LocalFolder(join(MODELS, model)));
    const target = join(scratch, "deep", "copy");
    const limit = maxShardBytes === undefined ? {} : { maxShardBytes };
    await writeModelFolder(target, { ...contentsOf(original), ...limit });
    await using copy = await openModelFolder(new LocalFolder(target));
    await expectSameBytes(original.tensors, copy.tensors);
    expect(copy.configJson).toEqual(original.configJson);
    expect(copy.config).toEqual(original.config);
    if (original.autoencoder !== undefined && copy.autoencoder !== undefined) {
      await expectSameBytes(original.autoencoder.tensors, copy.autoencoder.tensors, true);
      expect(copy.autoencoder.configJson).toEqual(original.autoencoder.configJson);
      expect(copy.autoencoder.weightFile).toBe("checkpoint.pt");
    }
    const shards = (await readdir(target)).filter((name) => /^model-\d+-of-\d+\.safetensors$/.test(name));
    expect(shards.length > 1).toBe(maxShardBytes !== undefined);
    expect(await readFile(join(target, "tokenizer.json"))).toEqual(
      await readFile(join(MODELS, model, "tokenizer.json")),
    );
    expect(await readdir(join(scratch, "deep"))).toEqual(["copy"]);
  });

  it("leaves nothing behind when a tensor cannot be loaded", async () => {
    await using original = await openModelFolder(new LocalFolder(join(MODELS, "train")));
    const contents = contentsOf(original);
    const tensors = contents.tensors.map((tensor, i) =>
      i === 7
        ? {
            ...tensor,
            load: () => {
              throw new Error("disk on fire");
            },
          }
        : tensor,
    );
    await expect(writeModelFolder(join(scratch, "copy"), { ...contents, tensors })).rejects.toThrow(/fire/);
    expect(await readdir(scratch)).toEqual([]);
  });

  it("refuses to write over something", async () => {
    await using original = await openModelFolder(new LocalFolder(join(MODELS, "train")));
    await writeFile(join(scratch, "note"), "mine");
    await expect(writeModelFolder(scratch, contentsOf(original))).rejects.toThrow(InputError);
    expect(await readFile(join(scratch, "note"), "utf8")).toBe("mine");
  });

  it("rounds to half precision on the way", async () => {
    await using original = await openModelFolder(new LocalFolder(join(MODELS, "train")));
    const contents = contentsOf(original);
    const target = join(scratch, "half");
    await writeModelFolder(target, { ...contents, tensors: convertTensors(contents.tensors, "float16") });
    await using half = await openModelFolder(new LocalFolder(target));
    const file = await openSafetensors(join(target, "model.safetensors"));
    expect([...file.tensors.values()].every(({ dtype }) => dtype === "float16")).toBe(true);
    await file.close();
    const [exact, rounded] = [
      await original.tensors.read("lm_head.weight"),
      await half.tensors.read("lm_head.weight"),
    ];
    // Half a unit in the last of 11 bits, or half the smallest subnormal.
    exact.forEach((x, i) => {
      expect(Math.abs(x - (rounded[i] as number))).toBeLessThanOrEqual(
        Math.max(Math.abs(x) * 2 ** -11, 2 ** -25),
      );
    });
  });

  it("refuses to round a finite value to infinity", async () => {
    const big = tensorsToWrite([["big", float32Tensor([1], Float32Array.of(70_000))]]);
    const [converted] = convertTensors(big, "float16");
    await expect(async () => converted?.load()).rejects.toThrow(/70000 does not fit float16/);
  });
});
