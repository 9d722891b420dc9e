/** Generation against numbers of the published code: every case of the kinds sampler, t2i, edit and text. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { type ModelFolder, openModelFolder } from "../checkpoint/model-folder.ts";
import { SafetensorsFile } from "../formats/safetensors.ts";
import { writeOnnx } from "../graph/onnx-writer.ts";
import { input, type Value } from "../graph/value.ts";
import { readImage } from "../image/decode-image.ts";
import { toPlanes } from "../image/pixels.ts";
import { tokenWidth } from "../model/config.ts";
import { flowSampler } from "../model/flow-sampler.ts";
import { ParameterScope } from "../model/parameter-scope.ts";
import type { Engine, HostTensor } from "../runtime/engine.ts";
import { LocalEngine } from "../runtime/local-engine.ts";
import { buildPromptRows } from "../sequence/prompt.ts";
import { loadTokenizer } from "../sequence/tokenizer.ts";
import { drawTokens } from "./draw-tokens.ts";
import { branchWeights, type CfgSchedule, guidanceAt } from "./guidance.ts";
import { decodePicture, encodePicture } from "./image-coder.ts";
import { ModelSessions } from "./model-sessions.ts";
import { promptTokenRows } from "./prompt-rows.ts";
import { noiseDraws, type SamplerName, solverTable } from "./solvers.ts";
import { injectedNoise } from "./token-noise.ts";
import { textPieces, writeTokens } from "./write-text.ts";

const PARITY = fileURLToPath(new URL("../../test/parity/", import.meta.url));
const SAMPLERS: Record<string, SamplerName> = {
  "P-A": "v1",
  "P-H11": "v1.1",
  "P-B-ode": "ode",
  "P-B-sde": "sde",
  "P-B-cps": "cps",
};

interface Tolerance {
  atol: number;
}

interface CaseFile {
  name: string;
  kind: string;
  model: string;
  sampler: string;
  branches: 1 | 2 | 3;
  images?: string[];
  variants: Variant[];
  settings: Settings;
  tolerance: Record<string, Tolerance>;
  prompt: string;
  prompt_ids: number[];
  new_ids: number[];
  text: string;
}

interface Variant {
  prefix: string;
  cfg: number;
  cfg_img: number;
  shift: number;
  steps: number;
  noise_level?: number;
  branches: 1 | 2 | 3;
  tolerance: Tolerance;
}

interface Settings {
  captions: string[];
  num_images_per_caption: number;
  positive: string | null;
  negative: string | null;
  hw: [number, number];
  use_norm: boolean;
  cfg: number;
  cfg_img: number;
  cfg_schedule: CfgSchedule;
  shift: number;
  steps: number;
  sampler: string;
  noise_level?: number;
}

const cases = readdirSync(join(PARITY, "cases"))
  .filter((name) => name.endsWith(".json"))
  .map((name): CaseFile => JSON.parse(readFileSync(join(PARITY, "cases", name), "utf8")));
const ofKind = (...kinds: string[]) =>
  cases.filter(({ kind }) => kinds.includes(kind)).map((item) => [item.name, item] as const);

const engine: Engine = new LocalEngine({ threads: 1 });
const folders = new Map<string, Promise<ModelFolder>>();
afterAll(() => engine[Symbol.asyncDispose]());

function openModel(name: string): Promise<ModelFolder> {
  const known = folders.get(name) ?? openModelFolder(join(PARITY, "models", name));
  folders.set(name, known);
  return known;
}

async function goldens(name: string) {
  const file = await SafetensorsFile.open(join(PARITY, "cases", `${name}.safetensors`));
  return {
    shape: (tensor: string) => file.tensors.get(tensor)?.shape ?? [],
    floats: async (tensor: string) => (await file.readTensor(tensor)).data as Float32Array,
    data: async (tensor: string) => (await file.readTensor(tensor)).data,
  };
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, atol: number, what: string) {
  expect(actual.length, what).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((actual[i] as number) - (expected[i] as number));
    if (!(difference <= worst)) worst = difference;
  }
  expect(worst, what).toBeLessThanOrEqual(atol);
}

const float32 = (shape: readonly number[], data: Float32Array): HostTensor => ({
  dtype: "float32",
  shape,
  data,
});

describe("sampler", () => {
  it.each(ofKind("sampler"))("%s", async (_, item) => {
    const { config, tensors } = await openModel(item.model);
    const golden = await goldens(item.name);
    const width = tokenWidth(config);
    for (const variant of item.variants) {
      const { prefix, steps, branches, tolerance } = variant;
      const sampler = SAMPLERS[item.sampler] as SamplerName;
      const table = solverTable(sampler, {
        steps,
        shift: variant.shift,
        ...(variant.noise_level === undefined ? {} : { noiseLevel: variant.noise_level }),
      });
      // Times are stored as the published code gave them to the net.
      expectClose(
        table.map(({ t }) => t),
        await golden.floats(`${prefix}t`),
        1e-7,
        `${prefix}t`,
      );
      const [pictures = 0, draws = 0] = golden.shape(`${prefix}noise`);
      expect(draws).toBe(noiseDraws(sampler, steps));
      const noise = new Float32Array(pictures * (steps + 1) * width);
      const given = await golden.floats(`${prefix}noise`);
      for (let i = 0; i < pictures; i++) {
        noise.set(given.subarray(i * draws * width, (i + 1) * draws * width), i * (steps + 1) * width);
      }
      const ports: Record<string, Value> = {};
      for (const name of ["times", "a", "b", "c"]) ports[name] = input(name, "float32", [steps]);
      const { states, velocities } = flowSampler(new ParameterScope(), config, steps, {
        conditions: input("conditions", "float32", ["branches*images", config.hiddenSize]),
        times: ports.times as Value,
        a: ports.a as Value,
        b: ports.b as Value,
        c: ports.c as Value,
        weights: input("weights", "float32", ["branches", "images"]),
        noise: input("noise", "float32", ["images", steps + 1, width]),
      });
      const outputs = Object.fromEntries([
        ...states.map((value, i) => [`x.${i}`, value]),
        ...velocities.map((value, i) => [`v.${i}`, value]),
      ]);
      const graph = writeOnnx(outputs, { parameters: "initializers" });
      const session = await engine.createSession(graph, tensors.weightSource);
      const weights = branchWeights(branches, { cfg: variant.cfg, cfgImg: variant.cfg_img });
      const column = (pick: "t" | "a" | "b" | "c") =>
        float32(
          [steps],
          Float32Array.from(table, (row) => row[pick]),
        );
      const results = await session.run({
        times: column("t"),
        a: column("a"),
        b: column("b"),
        c: column("c"),
        conditions: float32(golden.shape(`${prefix}c`), await golden.floats(`${prefix}c`)),
        weights: float32(
          [branches, pictures],
          Float32Array.from(weights.flatMap((w) => new Array<number>(pictures).fill(w))),
        ),
        noise: float32([pictures, steps + 1, width], noise),
      });
      await session.dispose();
      const joined = (part: string, count: number) =>
        Array.from({ length: count }, (__, i) => [
          ...((results[`${part}.${i}`] as HostTensor).data as Float32Array),
        ]).flat();
      expectClose(joined("x", steps + 1), await golden.floats(`${prefix}x`), tolerance.atol, `${prefix}x`);
      expectClose(joined("v", steps), await golden.floats(`${prefix}v`), tolerance.atol * 10, `${prefix}v`);
    }
  });
});

describe("pictures", () => {
  it.each(ofKind("t2i", "edit"))("%s", async (_, item) => {
    const { settings, tolerance } = item;
    const folder = await openModel(item.model);
    const sessions = new ModelSessions(engine, folder);
    const golden = await goldens(item.name);
    const tokenizer = await loadTokenizer(folder.tokenizerPath);
    const sampler = SAMPLERS[settings.sampler] as SamplerName;
    const within = (name: string) => (tolerance[name] as Tolerance).atol;

    const pictures = await Promise.all(
      (item.images ?? []).map((name) => readImage(join(PARITY, "cases", name))),
    );
    const encoded: { tokens: Float32Array; latents: Float32Array }[] = [];
    for (const picture of pictures) {
      encoded.push(await encodePicture(sessions, toPlanes(picture), [picture.height, picture.width]));
    }
    const prompt = buildPromptRows(tokenizer, {
      captions: settings.captions,
      images: item.images === undefined ? null : pictures.map(({ height, width }) => [height, width]),
      imagesPerCaption: settings.num_images_per_caption,
      positive: settings.positive,
      negative: settings.negative,
      size: settings.hw,
      cfg: settings.cfg,
      cfgImg: settings.cfg_img,
      code: sampler === "v1" ? "P-A" : "P-B",
    });
    expect(prompt.branches).toBe(item.branches);
    if (item.images !== undefined) {
      const order = prompt.rows.flatMap(({ images }) => images.map(({ image }) => image));
      const latents = order.flatMap((image) => [...(encoded[image]?.latents ?? [])]);
      expectClose(latents, await golden.floats("input_latents"), within("input_latents"), "input_latents");
    }

    const count = prompt.grid[0] * prompt.grid[1];
    const width = tokenWidth(folder.config);
    const guidance = { cfg: settings.cfg, cfgImg: settings.cfg_img, schedule: settings.cfg_schedule };
    const scales = Array.from({ length: count }, (__, token) => guidanceAt(guidance, sampler, token, count));
    const scalesByToken = scales.flatMap(({ cfg, cfgImg }) => [cfg, cfgImg]);
    expectClose(scalesByToken, await golden.floats("guidance"), 1e-12, "guidance");

    const n = prompt.pictures;
    const noise = injectedNoise(
      { data: await golden.floats("noise"), shape: golden.shape("noise") },
      { pictures: n, tokens: count, draws: noiseDraws(sampler, settings.steps), width },
    );
    const tokens = new Float32Array(n * count * width);
    const conditions = new Float32Array(prompt.rows.length * count * folder.config.hiddenSize);
    const { steps, shift, noise_level: noiseLevel } = settings;
    for await (const step of drawTokens(sessions, {
      rows: promptTokenRows(
        prompt,
        encoded.map((picture) => picture.tokens),
      ),
      branches: prompt.branches,
      count,
      sampler,
      solver: { steps, shift, ...(noiseLevel === undefined ? {} : { noiseLevel }) },
      guidance,
      noise,
      useNorm: settings.use_norm,
    })) {
      for (let i = 0; i < n; i++) {
        tokens.set(step.token.subarray(i * width, (i + 1) * width), (i * count + step.index) * width);
      }
      const d = folder.config.hiddenSize;
      for (let row = 0; row < prompt.rows.length; row++) {
        conditions.set(step.conditions.subarray(row * d, (row + 1) * d), (row * count + step.index) * d);
      }
    }
    expectClose(conditions, await golden.floats("conditions"), within("conditions"), "conditions");
    expectClose(tokens, await golden.floats("tokens"), within("tokens"), "tokens");

    const decoded = [];
    for (let i = 0; i < n; i++) {
      decoded.push(
        await decodePicture(
          sessions,
          tokens.subarray(i * count * width, (i + 1) * count * width),
          prompt.grid,
        ),
      );
    }
    const flat = (arrays: ArrayLike<number>[]) => arrays.flatMap((array) => Array.from(array));
    expectClose(
      flat(decoded.map(({ latents }) => latents)),
      await golden.floats("latents"),
      within("latents"),
      "latents",
    );
    expectClose(
      flat(decoded.map(({ planes }) => planes)),
      await golden.floats("image"),
      within("image"),
      "image",
    );
    const bytes = flat(decoded.map(({ pixels }) => pixels.data));
    expectClose(bytes, (await golden.data("image_u8")) as Uint8Array, 1, "image_u8");
  });
});

describe("text", () => {
  it.each(ofKind("text"))("%s", async (_, item) => {
    const folder = await openModel(item.model);
    const tokenizer = await loadTokenizer(folder.tokenizerPath);
    const ids = tokenizer.encode(item.prompt, { special: true });
    expect(ids).toEqual(item.prompt_ids);
    const request = { row: { ids }, maxTokens: item.new_ids.length, stop: new Set<number>(), seed: 0 };
    const sessions = new ModelSessions(engine, folder);
    const steps: { id: number; logits: Float32Array }[] = [];
    for await (const step of writeTokens(sessions, request)) steps.push(step);
    expect(steps.map(({ id }) => id)).toEqual(item.new_ids);
    const golden = await goldens(item.name);
    const logits = steps.flatMap((step) => [...step.logits]);
    expectClose(logits, await golden.floats("logits"), (item.tolerance.logits as Tolerance).atol, "logits");
    let text = "";
    for await (const piece of textPieces(tokenizer, writeTokens(sessions, request))) text += piece;
    expect(text).toBe(item.text);
  });
});
