import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { LocalEngine } from "../../../src/runtime/local-engine.ts";
import { isDecayed } from "../../../src/train/optimizer/weight-decay.ts";
import { runTrainCase } from "./train-case.ts";

const folder = fileURLToPath(new URL("../", import.meta.url));
const cases = readdirSync(`${folder}/cases`)
  .filter((file) => file.endsWith(".json"))
  .map((file) => JSON.parse(readFileSync(`${folder}/cases/${file}`, "utf8")))
  .filter(({ kind }) => kind === "train");

describe("reference training runs", () => {
  const engine = new LocalEngine({ threads: 1 });
  afterAll(() => engine[Symbol.asyncDispose]());

  it.each(cases)("agrees with $name", async ({ name, tensors }) => {
    const deviations = await runTrainCase(engine, folder, name);
    const outside = deviations.filter(({ share }) => share > 1);
    expect(outside).toEqual([]);
    const compared = new Set(deviations.map(({ tensor }) => tensor));
    const references = Object.keys(tensors).filter((tensor) => /^(grad|after\d+)\./.test(tensor));
    expect(references.filter((tensor) => !compared.has(tensor))).toEqual([]);
    expect(references.length).toBeGreaterThan(100);
  });

  it.each(cases)("decays the parameters that $name lists", ({ optimizer, tensors }) => {
    const names = Object.keys(tensors).flatMap((tensor) => /^grad\.(.*)$/.exec(tensor)?.[1] ?? []);
    expect(names.filter(isDecayed).sort()).toEqual([...optimizer.decayed].sort());
  });
});
