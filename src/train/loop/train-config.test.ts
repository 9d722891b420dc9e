/** @file Configs: defaults, unknown keys, wrong values, unreadable files. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import { parseOverride } from "./config-overrides.ts";
import { adamWSchema, loadTrainConfig, loopSchema, parseTrainConfig } from "./train-config.ts";

const schema = z.strictObject({
  output: z.string(),
  phases: z.array(z.strictObject({ batch: z.int().positive() })),
  optimizer: adamWSchema.prefault({}),
  loop: loopSchema.prefault({}),
});
const minimal = { output: "o", phases: [{ batch: 2 }] };
const parse = (json: unknown) => parseTrainConfig(schema, json, "config.json");

describe("parseTrainConfig", () => {
  it("fills in the published defaults", () => {
    const config = parse(minimal);
    expect(config.optimizer).toEqual({
      learningRate: 1e-4,
      betas: [0.9, 0.95],
      epsilon: 1e-8,
      weightDecay: 0.1,
    });
    expect(config.loop).toMatchObject({ accumulate: 1, maxGradientNorm: 1, ema: null });
    expect(config.loop.schedule).toMatchObject({ name: "cosine", finalFactor: 1 });
  });

  it("refuses unknown keys by their full name", () => {
    expect(() => parse({ ...minimal, sead: 1 })).toThrow('config.json: unknown key "sead"');
    const nested = { ...minimal, loop: { schedule: { warmup: 3 } } };
    expect(() => parse(nested)).toThrow(/unknown key "loop.schedule.warmup" \(check its spelling/);
  });

  it("names the field that is wrong", () => {
    expect(() => parse({ ...minimal, phases: [{ batch: 0 }] })).toThrow("phases.0.batch");
    expect(() => parse([])).toThrow(ConfigError);
  });

  it("names it behind alternatives, too", () => {
    const set = z.strictObject({ path: z.string() });
    const schema = z.strictObject({ data: z.union([z.string(), z.array(set)]) });
    const data = (value: unknown) => () => parseTrainConfig(schema, { data: value }, "config.json");
    expect(data(5)).toThrow(/config\.json: data: .*expected string or array/);
    expect(data([{ path: 3 }])).toThrow(/config\.json: data\.0\.path: .*expected string/);
    expect(data([{ path: "a", typ: "nlp" }])).toThrow('unknown key "data.0.typ"');
  });
});

describe("loadTrainConfig", () => {
  it("says which file is missing or no JSON, and takes settings beside it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "config-"));
    const path = join(folder, "c.json");
    await expect(loadTrainConfig(schema, path)).rejects.toThrow(ConfigError);
    await writeFile(path, "{ output: 1 }");
    await expect(loadTrainConfig(schema, path)).rejects.toThrow(/c\.json: is no JSON/);
    await writeFile(path, Buffer.from(`\uFEFF${JSON.stringify(minimal)}`, "utf16le"));
    expect((await loadTrainConfig(schema, path)).output).toBe("o");
    await writeFile(path, Buffer.from('{"output": "grün"}', "latin1"));
    await expect(loadTrainConfig(schema, path)).rejects.toThrow(/c\.json: .*is not UTF-8 text/);
    await writeFile(path, JSON.stringify(minimal));
    const set = (...texts: string[]) => loadTrainConfig(schema, path, texts.map(parseOverride));
    expect(await set("phases.0.batch=8", "loop.ema=0.9")).toMatchObject({
      phases: [{ batch: 8 }],
      loop: { ema: 0.9 },
    });
    await expect(set("loop.emma=0.9")).rejects.toThrow('c.json: unknown key "loop.emma"');
    await expect(set("phases.0.batch=many")).rejects.toThrow(/c\.json: phases\.0\.batch: .*number/);
    await expect(loadTrainConfig(schema, "/dev/zero")).rejects.toThrow(/not a regular file/);
    await rm(folder, { recursive: true });
  });
});
