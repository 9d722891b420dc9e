import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { copyTensors } from "../../../test/support/copy-tensors.ts";
import { writeBlocks } from "../../../test/support/write-blocks.ts";
import { ModelFormatError, UnsupportedError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { openSafetensors, writeSafetensors } from "../../files/safetensors-files.ts";
import type { TensorToWrite } from "../../formats/tensor-source.ts";
import { dequantizeBlocks, quantizeBlocks } from "../../model/block-quantization.ts";
import { inspectPath } from "../../node/inspect-path.ts";
import { formatInspection } from "../format-inspection.ts";
import { refuseUnusable } from "../inspection.ts";
import { openModelFolder } from "../model-folder.ts";
import { type FormatTable, matchesPattern } from "./nextstep-layout.ts";

const MODEL = fileURLToPath(new URL("../../../test/parity/models/v1", import.meta.url));
const FORMATS: FormatTable = {
  "layers.*.self_attn.q_proj.weight": { bits: 4, blockSize: 64, symmetric: false },
  "layers.*.mlp.down_proj.weight": { bits: 4, blockSize: 64, symmetric: false },
  "embed_tokens.weight": { bits: 8, blockSize: 32, symmetric: true },
};

let scratch: string;
let folder: string;
let config: Record<string, unknown>;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "nextstep-layout-"));
  folder = join(scratch, "blocks");
  await writeBlocks(MODEL, folder, FORMATS);
  config = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));
beforeEach(() => writeFile(join(folder, "config.json"), JSON.stringify(config)));

const open = () => openModelFolder(new LocalFolder(folder));

async function withSettings(change: (settings: Record<string, unknown>) => unknown): Promise<void> {
  const settings = structuredClone(config.quantization_config) as Record<string, unknown>;
  const changed = { ...config, quantization_config: change(settings) };
  await writeFile(join(folder, "config.json"), JSON.stringify(changed));
}

async function withTensors(
  change: (tensors: TensorToWrite[]) => TensorToWrite[],
  check: () => Promise<void>,
) {
  const path = join(folder, "model.safetensors");
  const kept = await readFile(path);
  const source = await openSafetensors(path);
  await writeSafetensors(path, change(copyTensors(source)));
  await source.close();
  await check();
  await writeFile(path, kept);
}

describe("a converted folder", () => {
  it("opens with the formats that it states, and its weights where they lie in the file", async () => {
    await using model = await open();
    const plan = model.tensors.weightPlan;
    expect(plan("layers.2.mlp.down_proj.weight")).toEqual(FORMATS["layers.*.mlp.down_proj.weight"]);
    expect(plan("embed_tokens.weight")).toEqual(FORMATS["embed_tokens.weight"]);
    expect(plan("layers.2.mlp.up_proj.weight")).toBe("float32");
    const port = { dtype: "uint8", shape: [] } as const;
    for (const name of ["embed_tokens.weight", "layers.0.mlp.down_proj.weight.zero_points"]) {
      expect(await model.tensors.weightSource({ ...port, name })).toMatchObject({
        dtype: "uint8",
        file: join(folder, "model.safetensors"),
      });
    }
  });

  it("reads matrices as what their blocks stand for, to half a step of the original", async () => {
    await using model = await open();
    await using original = await openModelFolder(new LocalFolder(MODEL));
    for (const name of ["layers.1.mlp.down_proj.weight", "embed_tokens.weight"]) {
      const [kept, before] = [await model.tensors.read(name), await original.tensors.read(name)];
      const format = model.tensors.quantized!.matrices.get(name)!.format;
      const [outputs, inputs] = original.tensors.entry(name).shape as [number, number];
      expect(kept).toEqual(
        dequantizeBlocks(quantizeBlocks(before, outputs, inputs, format), outputs, inputs, format),
      );
      const error = Math.max(...kept.map((value, i) => Math.abs(value - before[i]!)));
      const step = (2 * Math.max(...before.map(Math.abs))) / (2 ** format.bits - 1);
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(step);
    }
  });

  it("is described by inspect, with as many parameters as the original", async () => {
    const [found, original] = [await inspectPath(folder), await inspectPath(MODEL)];
    if (found.kind !== "model" || original.kind !== "model") throw new Error("no models");
    expect(found.problems).toEqual([]);
    expect(found.parts.map(({ part, parameters }) => [part, parameters])).toEqual(
      original.parts.map(({ part, parameters }) => [part, parameters]),
    );
    const text = formatInspection(found);
    expect(text).toMatch(/4-bit blocks of 64, asymmetric +backbone/);
    expect(text).toMatch(/8-bit blocks of 32, symmetric +embeddings/);
  });

  it.each<[string, (settings: Record<string, unknown>) => unknown, RegExp]>([
    [
      "another method, by name",
      (settings) => ({ ...settings, quant_method: "hqq" }),
      /method "hqq".*known are nextstep/,
    ],
    ["no method", () => ({}), /a method without a name/],
    ["settings that are no object", () => 4, /quantization_config: is not an object/],
    ["an unknown key", (settings) => ({ ...settings, group: 1 }), /a key "group", which is not known/],
    ["no formats", () => ({ quant_method: "nextstep" }), /no object of formats/],
    [
      "a pattern that names nothing",
      (s) => withFormat(s, "nothing.weight", {}),
      /"nothing\.weight" names no/,
    ],
    [
      "two patterns for a weight",
      (s) => withFormat(s, "*.weight", {}),
      /"embed_tokens.weight" and "\*\.weight" both name embed_tokens/,
    ],
    ["a pattern for a norm", (s) => withFormat(s, "norm.weight", {}), /names norm\.weight \[64\].*no matrix/],
    ["bits in between", (s) => withFormat(s, "lm_head.weight", { bits: 5 }), /bits must be 4 or 8/],
    ["other blocks", (s) => withFormat(s, "lm_head.weight", { blockSize: 16 }), /32, 64 or 128/],
    [
      "a format with more to it",
      (s) => withFormat(s, "lm_head.weight", { order: 1 }),
      /not an object of bits/,
    ],
  ])("is refused with %s", async (_, change, message) => {
    await withSettings(change);
    await expect(open()).rejects.toThrow(message);
    await expect(open()).rejects.toSatisfy(
      (error) => error instanceof ModelFormatError || error instanceof UnsupportedError,
    );
  });

  it("is refused, and described, when parts of a matrix are missing or other than stated", async () => {
    const name = "layers.1.self_attn.q_proj.weight";
    await withTensors(
      (tensors) => tensors.filter((tensor) => tensor.name !== `${name}.scales`),
      async () => {
        await expect(open()).rejects.toThrow(
          /q_proj\.weight\.scales" is missing, expected float32 \[\d+, 1\]/,
        );
        const found = await inspectPath(folder);
        expect(() => refuseUnusable(found)).toThrow(/is missing/);
      },
    );
    await withSettings((s) => withFormat(s, "layers.*.self_attn.q_proj.weight", { blockSize: 32 }));
    await expect(open()).rejects.toThrow(/holds uint8 \[64, 1, 32\], expected uint8 \[64, 2, 16\]/);
    await withSettings((s) => withFormat(s, "lm_head.weight", {}));
    await expect(open()).rejects.toThrow(/holds float32 \[560, 64\], expected uint8 \[560, 1, 32\]/);
  });
});

function withFormat(settings: Record<string, unknown>, pattern: string, format: object): object {
  const usual = { bits: 4, blockSize: 64, symmetric: false };
  const formats = settings.formats as object;
  return { ...settings, formats: { ...formats, [pattern]: { ...usual, ...format } } };
}

it("patterns stand for one part between dots", () => {
  expect(matchesPattern("layers.12.mlp.up_proj.weight", "layers.*.mlp.up_proj.weight")).toBe(true);
  expect(matchesPattern("layers.12.mlp.up_proj.weight", "layers.*.weight")).toBe(false);
  expect(matchesPattern("layers.1.mlp.up_proj.weight", "layers.12.mlp.up_proj.weight")).toBe(false);
});
