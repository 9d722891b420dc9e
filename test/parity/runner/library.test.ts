/** @file The reference cases of drawing, editing and writing, through the library as its users call it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { type CfgSchedule, type Model, open } from "../../../src/index.ts";
import { CaseCheck } from "./case-check.ts";
import { openParityCase } from "./parity-case.ts";
import { publishedSampler } from "./published-sampler.ts";

const PARITY = fileURLToPath(new URL("../", import.meta.url));

/** What this test reads of a case. */
interface CaseJson {
  readonly kind: string;
  readonly model: string;
  readonly images?: readonly string[];
  readonly settings: {
    readonly captions: readonly string[];
    readonly num_images_per_caption: number;
    readonly positive: string | null;
    readonly negative: string | null;
    readonly hw: readonly [height: number, width: number];
    readonly use_norm: boolean;
    readonly cfg: number;
    readonly cfg_img: number;
    readonly cfg_schedule: CfgSchedule;
    readonly shift: number;
    readonly steps: number;
    readonly sampler: string;
  };
  readonly prompt: string;
  readonly new_ids: readonly number[];
  readonly text: string;
}

const cases = readdirSync(join(PARITY, "cases"))
  .filter((file) => file.endsWith(".json"))
  .map((file): [string, CaseJson] => [file, JSON.parse(readFileSync(join(PARITY, "cases", file), "utf8"))]);
const ofKind = (...kinds: string[]) => cases.filter(([, { kind }]) => kinds.includes(kind));

describe("the library agrees with the published code", () => {
  const models = new Map<string, Promise<Model>>();
  afterAll(async () => {
    for (const model of models.values()) await (await model)[Symbol.asyncDispose]();
  });
  const modelOf = (name: string): Promise<Model> => {
    const model = models.get(name) ?? open(join(PARITY, "models", name), { threads: 1 });
    models.set(name, model);
    return model;
  };

  it.each(ofKind("t2i", "edit"))("draws %s", async (file, { model: name, images, settings }) => {
    await using test = await openParityCase(join(PARITY, "cases", file));
    const check = new CaseCheck(test);
    const noise = { data: await check.floats("noise"), shape: check.shapeOf("noise") };
    const model = await modelOf(name);
    const pictures = await model.draw([...settings.captions], {
      ...(images && { images: images.map((image) => join(PARITY, "cases", image)) }),
      count: settings.num_images_per_caption,
      positive: settings.positive ?? "",
      negative: settings.negative ?? "",
      size: { height: settings.hw[0], width: settings.hw[1] },
      useNorm: settings.use_norm,
      cfg: settings.cfg,
      cfgImg: settings.cfg_img,
      cfgSchedule: settings.cfg_schedule,
      shift: settings.shift,
      steps: settings.steps,
      sampler: publishedSampler(settings.sampler),
      noise,
    });
    await check.compare("tokens", {
      shape: check.shapeOf("tokens"),
      data: Float32Array.from(pictures.flatMap(({ tokens }) => [...tokens])),
    });
    await check.compare("image_u8", {
      shape: check.shapeOf("image_u8"),
      data: Uint8Array.from(pictures.flatMap(({ pixels }) => [...pixels.data])),
    });
    const { groups } = check.result();
    expect(groups.map(({ group }) => group)).toEqual(["tokens", "image_u8"]);
    expect(groups.filter(({ ratio }) => ratio > 1)).toEqual([]);
  });

  it.each(ofKind("text"))("writes %s", async (_, { model: name, prompt, new_ids: ids, text }) => {
    const model = await modelOf(name);
    let written = "";
    for await (const piece of model.write(prompt, { maxTokens: ids.length })) written += piece;
    expect(written).toBe(text);
  });
});
