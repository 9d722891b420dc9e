import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyTensors } from "../../test/support/copy-tensors.ts";
import { NextStepError } from "../errors.ts";
import { openSafetensors, writeSafetensors } from "../files/safetensors-files.ts";
import { TarFile } from "../files/tar-file.ts";
import { setPngTexts } from "../formats/png-text.ts";
import { inspectPath } from "../node/inspect-path.ts";
import { formatInspection } from "./format-inspection.ts";
import { problemsOf, refuseUnusable } from "./inspection.ts";

const PARITY = fileURLToPath(new URL("../../test/parity/", import.meta.url));
const MODELS = join(PARITY, "models");

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "nextstep-inspect-"));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

describe("inspectPath", () => {
  it("describes a model folder by parts", async () => {
    const found = await inspectPath(join(MODELS, "v1"));
    if (found.kind !== "model") throw new Error(found.kind);
    // By hand from config.json: hidden 64, intermediate 160, 4 heads and 2 key/value heads of 16, 3 layers, vocabulary 560.
    const layer = 64 * 64 + 64 + 2 * (32 * 64 + 32) + 64 * 64 + 3 * 64 * 160 + 2 * 64;
    const counts = Object.fromEntries(found.parts.map(({ part, parameters }) => [part, parameters]));
    expect(counts).toMatchObject({
      embeddings: 560 * 64,
      backbone: 3 * layer + 64,
      "lm head": 560 * 64,
      projectors: 64 * 64 + 64 + 64 * 64 + 64,
      "generation positions": 1024 * 64,
    });
    expect(found.autoencoder?.parts.map(({ part }) => part)).toEqual([
      "autoencoder encoder",
      "autoencoder decoder",
    ]);
    expect(found.tokenizer).toEqual({ size: 524, bosToken: null });
    expect(problemsOf(found)).toEqual([]);
    const text = formatInspection(found);
    expect(text).toContain("model folder, v1 layout");
    expect(text).toMatch(/layers\.\{0-2\}\.mlp\.up_proj\.weight +\w+ +\[160, 64\]/);
    expect(text).toMatch(/hiddenSize +64/);
    expect(JSON.parse(JSON.stringify(found))).toMatchObject({ kind: "model", release: "v1" });
  });

  it("lists every missing tensor and unknown key of a damaged model, as errors and notes", async () => {
    const folder = join(scratch, "model");
    await cp(join(MODELS, "train"), folder, { recursive: true });
    const source = await openSafetensors(folder);
    const tensors = copyTensors(source).filter(({ name }) => !/layers\.1\.mlp/.test(name));
    await writeSafetensors(join(folder, "model.safetensors"), tensors);
    await source.close();
    const json: object = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
    await writeFile(join(folder, "config.json"), JSON.stringify({ ...json, surprise: 1 }));
    const found = await inspectPath(folder);
    expect(problemsOf(found).map(({ kind, subject, fatal }) => [kind, subject, fatal])).toEqual([
      ["missing", "layers.1.mlp.gate_proj.weight", true],
      ["missing", "layers.1.mlp.up_proj.weight", true],
      ["missing", "layers.1.mlp.down_proj.weight", true],
      ["unknown-key", "surprise", false],
    ]);
    expect(formatInspection(found)).toMatch(/error {2}layers\.1\.mlp\.up_proj\.weight is missing/);
    expect(() => refuseUnusable(found)).toThrow(
      /gate_proj\.weight" is missing.*first of 3 wrong tensors.*\(fetch/,
    );
  });

  it("describes weight files of every kind", async () => {
    const shard = await inspectPath(join(MODELS, "v1", "model-00001-of-00003.safetensors"));
    const index = await inspectPath(join(MODELS, "v1", "model.safetensors.index.json"));
    const archive = await inspectPath(join(MODELS, "v1", "vae", "checkpoint.pt"));
    if (!("tensors" in shard && "tensors" in index && "tensors" in archive)) throw new Error("no tensors");
    expect([shard.kind, index.kind, archive.kind]).toEqual([
      "safetensors",
      "safetensors index",
      "torch archive",
    ]);
    expect(shard.tensors.length).toBeLessThan(index.tensors.length);
    const map: { weight_map: object } = JSON.parse(
      await readFile(join(MODELS, "v1", "model.safetensors.index.json"), "utf8"),
    );
    expect(index.tensors.map(({ name }) => name).sort()).toEqual(Object.keys(map.weight_map).sort());
    expect(archive.parts.map(({ part }) => part)).toEqual(["autoencoder encoder", "autoencoder decoder"]);
    expect(formatInspection(archive)).toContain("decoder.conv_in.weight");
  });

  it("describes an autoencoder folder and configurations", async () => {
    const vae = await inspectPath(join(MODELS, "v1.1", "vae"));
    expect(vae).toMatchObject({ kind: "autoencoder", weightFile: "checkpoint.pt" });
    const model = await inspectPath(join(MODELS, "v1.1", "config.json"));
    expect(model).toMatchObject({ kind: "config", of: "model", config: { headWidth: 96, kvHeads: 2 } });
    expect(await inspectPath(join(MODELS, "v1.1", "vae", "config.json"))).toMatchObject({
      of: "autoencoder",
    });
    expect(formatInspection(model)).toMatch(/headWidth +96/);
  });

  it("describes a tar", async () => {
    const path = join(scratch, "shard.tar");
    const writer = await TarFile.create(path);
    const bytes = new TextEncoder().encode("x");
    for (const name of ["a.json", "a-0.jpg", "a-1.jpg", "b.txt", "b.png"]) await writer.add(name, bytes);
    await writer.close();
    const found = await inspectPath(path);
    expect(found).toMatchObject({ kind: "tar", members: 5, samples: 2, pictures: 3, firstKeys: ["a", "b"] });
    expect(formatInspection(found)).toMatch(/samples +2/);
  });

  it("reads the recipe of a picture, and none from one without", async () => {
    const plain = join(PARITY, "cases", "edit-input.png");
    expect(formatInspection(await inspectPath(plain))).toContain("no texts");
    const path = join(scratch, "picture.png");
    const parameters = "a red apple\nNegative prompt: blurry\nSteps: 28, CFG scale: 7.5, Seed: 3";
    const texts = [
      { keyword: "parameters", text: parameters },
      { keyword: "nextstep", text: JSON.stringify({ prompt: "a red apple", seed: 3 }) },
    ];
    await writeFile(path, setPngTexts(await readFile(plain), texts));
    const found = await inspectPath(path);
    expect(found).toMatchObject({
      kind: "picture",
      format: "PNG",
      width: 64,
      height: 64,
      parameters: { prompt: "a red apple", negativePrompt: "blurry", settings: { Steps: "28", Seed: "3" } },
      recipe: { prompt: "a red apple", seed: 3 },
    });
    expect(formatInspection(found)).toMatch(/CFG scale +7\.5/);
  });

  it("does not let names write to the terminal", async () => {
    const path = join(scratch, "evil.safetensors");
    const load = () => ({ dtype: "uint8" as const, shape: [0], data: new Uint8Array(0) });
    await writeSafetensors(path, [{ name: "a\u001b[2Jb", dtype: "uint8", shape: [0], load }]);
    const text = formatInspection(await inspectPath(path));
    expect(text).toContain("a\\u{1b}[2Jb");
  });

  it("gives one line of reason and remedy for anything damaged", async () => {
    const shard = await readFile(join(MODELS, "train", "model.safetensors"));
    const archive = await readFile(join(MODELS, "v1", "vae", "checkpoint.pt"));
    const picture = await readFile(join(PARITY, "cases", "edit-input.png"));
    const damaged: Record<string, Uint8Array> = {
      "cut.safetensors": shard.subarray(0, shard.length - 10),
      "cut.pt": archive.subarray(0, archive.length - 10),
      "cut.png": picture.subarray(0, picture.length - 20),
      "text.txt": new TextEncoder().encode("once upon a time"),
      empty: new Uint8Array(0),
      "config.json": new TextEncoder().encode('{"hidden_size": "big"}'),
      "broken.json": new TextEncoder().encode('{"weight_map": {"a": "../b.safetensors"}}'),
    };
    for (const [name, bytes] of Object.entries(damaged)) {
      await writeFile(join(scratch, name), bytes);
      const error: unknown = await inspectPath(join(scratch, name)).catch((caught: unknown) => caught);
      expect(error, name).toBeInstanceOf(NextStepError);
      expect((error as NextStepError).message, name).toMatch(/^[^\n]*\([^\n]+\)$/);
    }
    await expect(inspectPath(join(scratch, "nowhere"))).rejects.toThrow(/no such file/);
    await expect(inspectPath(join(MODELS))).rejects.toThrow(/no config\.json/);
  });
});
