import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSafetensors, writeSafetensors } from "../../../src/files/safetensors-files.ts";
import { tensorsToWrite } from "../../../src/formats/tensor-source.ts";
import { float32Tensor, type Tensor, toFloat32 } from "../../../src/tensor/tensor.ts";
import type { CaseResult } from "./case-check.ts";
import { KIND_RUNNERS } from "./kinds.ts";
import { formatResult, runParity } from "./run-parity.ts";

const PARITY = fileURLToPath(new URL("../", import.meta.url));

/** What the tests touch of a case file; the rest is passed on as it is. */
interface CaseJson {
  readonly model?: string;
  readonly image?: string;
  readonly rows?: readonly { readonly result: readonly number[] }[];
  readonly entries?: readonly { readonly rows: readonly string[] }[];
  readonly sets?: readonly { readonly length: number }[];
  readonly runs?: readonly { readonly rows: readonly { readonly attention_mask: readonly number[] }[] }[];
  readonly new_ids?: readonly number[];
  readonly optimizer?: object;
  readonly tensors?: Readonly<Record<string, object>>;
}

function first<Row>(rows: readonly Row[] = [], change: (row: Row) => unknown): unknown[] {
  return rows.map((row, i) => (i === 0 ? change(row) : row));
}

/** A packing run whose first row does not attend to its last place, which is padding. */
function hidingPadding(run: NonNullable<CaseJson["runs"]>[number]): unknown {
  const rows = first(run.rows, (row) => ({
    ...row,
    attention_mask: [...row.attention_mask.slice(0, -1), 0],
  }));
  return { ...run, rows };
}

async function results(folder: string): Promise<CaseResult[]> {
  const list: CaseResult[] = [];
  for await (const result of runParity(folder, KIND_RUNNERS)) list.push(result);
  return list;
}

describe("the public goldens", () => {
  it("agree in every case", async () => {
    const all = await results(PARITY);
    const cases = (await readdir(join(PARITY, "cases"))).filter((name) => name.endsWith(".json"));
    expect(all.map(({ name }) => `${name}.json`)).toEqual(cases.sort());
    expect(all.filter(({ ok }) => !ok).map(formatResult)).toEqual([]);
    expect([...new Set(all.map(({ kind }) => kind))].sort()).toEqual([...KIND_RUNNERS.keys()].sort());
  }, 180_000);
});

describe("runParity", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "nextstep-parity-"));
    await mkdir(join(folder, "cases"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Copies a case and its model, changing its tensors or its JSON. */
  async function changed(
    name: string,
    change: {
      tensors?: (tensors: Map<string, Tensor>) => void;
      json?: (json: CaseJson) => unknown;
    },
  ): Promise<CaseResult> {
    const from = join(PARITY, "cases");
    const json: CaseJson = JSON.parse(await readFile(join(from, `${name}.json`), "utf8"));
    const { model, image } = json;
    if (model !== undefined) {
      await cp(join(PARITY, "models", model), join(folder, "models", model), { recursive: true });
    }
    if (image !== undefined) await cp(join(from, image), join(folder, "cases", image));
    const replaced = change.json?.(json) ?? json;
    await writeFile(join(folder, "cases", "other-name.json"), JSON.stringify(replaced));
    if (model !== undefined) {
      const file = await openSafetensors(join(from, `${name}.safetensors`));
      const tensors = new Map<string, Tensor>();
      for (const key of file.tensors.keys()) tensors.set(key, await file.readTensor(key));
      await file.close();
      change.tensors?.(tensors);
      await writeSafetensors(join(folder, "cases", "other-name.safetensors"), tensorsToWrite(tensors));
    }
    const [result] = await results(folder);
    if (result === undefined) throw new Error("no result");
    return result;
  }

  /** Adds `shift` to one element. */
  const shifted = (name: string, index: number, shift: number) => (tensors: Map<string, Tensor>) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`no tensor ${name}`);
    const values = toFloat32(tensor).slice();
    values[index] = (values[index] as number) + shift;
    tensors.set(name, float32Tensor(tensor.shape, values));
  };

  /** Flips bits of the first `count` bytes. */
  const flipped = (name: string, count: number, bits: number) => (tensors: Map<string, Tensor>) => {
    const { shape, data } = tensors.get(name) as Tensor;
    const bytes = Uint8Array.from(data as Uint8Array, (byte, i) => (i < count ? byte ^ bits : byte));
    tensors.set(name, { dtype: "uint8", shape, data: bytes });
  };

  it("does not care for names", async () => {
    const result = await changed("head-v1", {});
    expect(result).toMatchObject({ name: "other-name", kind: "head", ok: true });
    expect(formatResult(result)).toMatch(/^ok {6}other-name {2}v [\d.e-]+ of 6e-5; time_features/);
  });

  it("notices one value that is twice its tolerance away", async () => {
    const result = await changed("head-v1", { tensors: shifted("v", 17, 2 * 6e-5) });
    expect(result.ok).toBe(false);
    const [group] = result.groups.filter(({ ratio }) => ratio > 1);
    expect(group).toMatchObject({ group: "v", worst: "v" });
    expect(group?.ratio).toBeGreaterThan(1.8);
    expect(group?.ratio).toBeLessThan(2.2);
    expect(formatResult(result)).toMatch(/^not ok {2}other-name {2}.*NOT v 1\.\d+e-4 of 6e-5/);
  });

  it("does not take NaN for agreement", async () => {
    const result = await changed("head-v1", { tensors: shifted("time_features", 3, Number.NaN) });
    expect(result).toMatchObject({ ok: false, ratio: Infinity });
  });

  it("notices a value beyond the tolerance of its variant", async () => {
    const result = await changed("sampler-ode", { tensors: shifted("v2.x", 100, 2 * 5e-5) });
    expect(result.ok).toBe(false);
    expect(result.groups.filter(({ ratio }) => ratio > 1).map(({ group }) => group)).toEqual(["v2.*"]);
  });

  it("follows tighter tolerances than the public ones", async () => {
    const result = await changed("head-v1", {
      json: (json) => ({
        ...json,
        tolerance: { v: { rtol: 1e-9 }, time_features: 1e-6, time_embedding: 1e-5 },
      }),
    });
    expect(result.groups.filter(({ ratio }) => ratio > 1).map(({ group }) => group)).toEqual(["v"]);
  });

  it("counts bytes that differ", async () => {
    // Of 32 x 48 x 3 bytes 0.002 may differ: 9.
    expect(await changed("vae-v1", { tensors: flipped("decoded_u8", 8, 1) })).toMatchObject({ ok: true });
    expect(await changed("vae-v1", { tensors: flipped("decoded_u8", 12, 1) })).toMatchObject({ ok: false });
    expect(await changed("vae-v1", { tensors: flipped("decoded_u8", 1, 2) })).toMatchObject({ ok: false });
  });

  it("lets bytes without a share of their own differ only where rounding may", async () => {
    const result = await changed("vae-v1", { tensors: flipped("reconstructed_u8", 100, 1) });
    expect(result.groups.filter(({ ratio }) => ratio > 1).map(({ group }) => group)).toEqual([
      "reconstructed_u8",
    ]);
  });

  it("fails a case with a tensor that nobody compared", async () => {
    const surprise = float32Tensor([1], Float32Array.of(1));
    const result = await changed("head-v1", {
      tensors: (tensors) => tensors.set("surprise", surprise),
    });
    expect(result).toMatchObject({ ok: false, problems: ["not compared: surprise"] });
  });

  it("fails a case whose file is not what it states", async () => {
    const result = await changed("head-v1", {
      tensors: (tensors) => tensors.delete("v"),
    });
    expect(result.ok).toBe(false);
    expect(result.problems[0]).toMatch(/states a tensor "v" that its file does not hold/);
  });

  it("fails an unknown kind", async () => {
    const result = await changed("head-v1", { json: (json) => ({ ...json, kind: "weather" }) });
    expect(result.ok).toBe(false);
    expect(result.problems[0]).toBe('unknown kind "weather"');
  });

  it("notices one wrong number in exact cases", async () => {
    const result = await changed("buckets", {
      json: (json) => {
        const rows = json.rows?.map((row, i) => (i === 3 ? { ...row, result: [192, 352] } : row));
        return { ...json, rows };
      },
    });
    expect(result.ok).toBe(false);
    expect(formatResult(result)).toContain("NOT 1920x1080 at 256 result [192,336], expected [192,352]");
  });

  it("runs cases that hold less than the public ones", async () => {
    const without = (json: CaseJson, name: string) => {
      const { [name]: _, ...tensors } = json.tensors ?? {};
      return { ...json, tensors };
    };
    for (const [name, tensor] of [
      ["backbone-v1.1", "hidden"],
      ["backbone-v1.1", "logits"],
      ["head-v1", "time_embedding"],
      ["vae-v1", "logvar"],
      ["text-v1", "logits"],
      ["train-edit", "u"],
    ] as const) {
      const result = await changed(name, {
        tensors: (tensors) => tensors.delete(tensor),
        json: (json) => without(json, tensor),
      });
      expect(formatResult(result), `${name} without ${tensor}`).toMatch(/^ok /);
    }
  }, 60_000);

  it.each<[string, string, (json: CaseJson) => unknown]>([
    [
      "prompts",
      "NOT 0 rows",
      (json) => ({ ...json, entries: first(json.entries, (entry) => ({ ...entry, rows: ["?"] })) }),
    ],
    [
      "tokenizer",
      "NOT v1 length",
      (json) => ({ ...json, sets: first(json.sets, (set) => ({ ...set, length: set.length + 1 })) }),
    ],
    [
      "packing",
      "NOT 0 left_over_lengths",
      (json) => ({ ...json, runs: first(json.runs, (run) => ({ ...run, left_over_lengths: {} })) }),
    ],
    ["packing", "NOT 0 row 0 attention_mask", (json) => ({ ...json, runs: first(json.runs, hidingPadding) })],
    [
      "packing",
      "NOT 0 number of rows",
      (json) => ({ ...json, runs: first(json.runs, (run) => ({ ...run, rows: [] })) }),
    ],
    ["text-v1", "NOT new_ids", (json) => ({ ...json, new_ids: [1, ...(json.new_ids ?? []).slice(1)] })],
    ["text-v1", "NOT text", (json) => ({ ...json, text: "" })],
    ["train-edit", "NOT loss 1", (json) => ({ ...json, expected: [{ loss: 8.78 }] })],
    ["train-edit", "draws for", (json) => ({ ...json, image_flags: [1, 1, 1] })],
    ["train-edit", "NOT decayed", (json) => ({ ...json, optimizer: { ...json.optimizer, decayed: [] } })],
  ])("notices another value in %s: %s", async (name, complaint, json) => {
    await cp(join(PARITY, "models"), join(folder, "models"), { recursive: true });
    const result = await changed(name, { json });
    expect(result.ok).toBe(false);
    expect(formatResult(result)).toContain(complaint);
  });

  it("notices a gradient and an updated weight beyond their tolerances", async () => {
    for (const name of ["grad.norm.weight", "after1.norm.weight"]) {
      const result = await changed("train-edit", { tensors: shifted(name, 3, 1e-4) });
      const [group] = result.groups.filter(({ ratio }) => ratio > 1);
      expect(group).toMatchObject({ group: name.replace(/\d*\..*/, ""), worst: name });
    }
  });

  it("goes on behind a damaged case", async () => {
    await cp(join(PARITY, "cases", "buckets.json"), join(folder, "cases", "z.json"));
    await writeFile(join(folder, "cases", "a.json"), "{");
    const both = await results(folder);
    expect(both.map(({ name, ok }) => [name, ok])).toEqual([
      ["a", false],
      ["z", true],
    ]);
    expect(both[0]?.problems[0]).toMatch(/not JSON/);
  });

  it("does not leave its folder for a model", async () => {
    const result = await changed("head-v1", { json: (json) => ({ ...json, model: "../../etc" }) });
    expect(result.problems.join()).toMatch(/is not the name of a model/);
  });

  it("refuses a folder without cases", async () => {
    await expect(results(folder)).rejects.toThrow(/holds no cases/);
  });
});
