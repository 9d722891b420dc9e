/** @file Kind `sampler`: every state and velocity on the way to one token (docs/nextstep-spec.md 3.3 to 3.5). */

import { z } from "zod";
import { DataFormatError } from "../../../src/errors.ts";
import { branchWeights } from "../../../src/generate/guidance.ts";
import { type SamplerName, solverTable } from "../../../src/generate/solvers.ts";
import { input, type Value } from "../../../src/graph/value.ts";
import { type NextStepConfig, tokenWidth } from "../../../src/model/config.ts";
import { conditionEmbedding } from "../../../src/model/flow-head.ts";
import { flowSampler } from "../../../src/model/flow-sampler.ts";
import { ParameterScope } from "../../../src/model/parameter-scope.ts";
import type { HostTensor } from "../../../src/runtime/engine.ts";
import { joinedFloats } from "../../../src/tensor/joined.ts";
import type { CaseCheck } from "./case-check.ts";
import { type ParityCase, parseFields } from "./parity-case.ts";
import type { ParityContext } from "./parity-context.ts";
import { publishedSampler } from "./published-sampler.ts";

const variantFields = z.looseObject({
  prefix: z.string().default(""),
  // Defaults as published (docs/nextstep-spec.md 3.7).
  cfg: z.number().default(1),
  cfg_img: z.number().default(1),
  shift: z.number().default(1),
  steps: z.int().positive().default(20),
  noise_level: z.number().optional(),
  branches: z.union([z.literal(1), z.literal(2), z.literal(3)]).optional(),
  sampler: z.string().optional(),
});
type Variant = z.infer<typeof variantFields>;

const fields = z.looseObject({
  sampler: z.string().optional(),
  variants: z.array(variantFields).optional(),
});

export async function runSamplerCase(
  test: ParityCase,
  check: CaseCheck,
  context: ParityContext,
): Promise<void> {
  const { sampler, variants } = parseFields(fields, test.json, test.name);
  // A case without variants is one itself.
  for (const variant of variants ?? [parseFields(variantFields, test.json, test.name)]) {
    const named = variant.sampler ?? sampler;
    if (named === undefined) throw new DataFormatError("names no sampler", { where: test.name });
    await runVariant(test, check, context, variant, publishedSampler(named));
  }
}

async function runVariant(
  test: ParityCase,
  check: CaseCheck,
  context: ParityContext,
  variant: Variant,
  sampler: SamplerName,
): Promise<void> {
  const { prefix, steps, shift, noise_level: noiseLevel } = variant;
  const { config, tensors } = await context.model(test.model);
  const width = tokenWidth(config);
  const [rows = 0] = check.shapeOf(`${prefix}c`);
  const [images = 0, draws = 0] = check.shapeOf(`${prefix}noise`);
  const branches = variant.branches ?? (rows / images === 3 ? 3 : rows / images === 2 ? 2 : 1);
  const weights = branchWeights(branches, { cfg: variant.cfg, cfgImg: variant.cfg_img });
  const table = solverTable(sampler, { steps, shift, ...(noiseLevel === undefined ? {} : { noiseLevel }) });
  const column = (key: "t" | "a" | "b" | "c"): HostTensor =>
    floats(
      [steps, images],
      Float32Array.from(table.flatMap((row) => new Array<number>(images).fill(row[key]))),
    );
  const filled = fillDraws(await check.floats(`${prefix}noise`), { images, draws, wanted: steps + 1, width });
  const draw = (index: number): Float32Array[] =>
    Array.from({ length: images }, (_, image) => {
      const from = (image * (steps + 1) + index) * width;
      return filled.subarray(from, from + width);
    });
  const results = await context.compute(graph(config, steps), tensors, {
    conditions: floats([rows, config.hiddenSize], await check.floats(`${prefix}c`)),
    state: floats([images, width], join(draw(0))),
    picture_of_row: ids(
      [rows],
      Array.from({ length: rows }, (_, row) => row % images),
    ),
    times: column("t"),
    a: column("a"),
    b: column("b"),
    c: column("c"),
    branch_rows: ids(
      [branches, images],
      Array.from({ length: rows }, (_, row) => row),
    ),
    weights: floats(
      [branches, images],
      Float32Array.from(weights.flatMap((weight) => new Array<number>(images).fill(weight))),
    ),
    noise: floats(
      [steps, images, width],
      join(Array.from({ length: steps }, (_, step) => draw(step + 1)).flat()),
    ),
  });
  const { shape, data } = results.states as HostTensor;
  const withStart = floats(
    [steps + 1, ...shape.slice(1)],
    joinedFloats([join(draw(0)), data as Float32Array]),
  );
  await check.compare(`${prefix}t`, { shape: [steps], data: table.map(({ t }) => t) });
  await check.compare(`${prefix}x`, withStart);
  await check.compare(`${prefix}v`, results.velocities as HostTensor);
}

function graph(config: NextStepConfig, steps: number) {
  const scope = new ParameterScope();
  const conditions = input("conditions", "float32", ["rows", config.hiddenSize]);
  const table = (name: string): Value => input(name, "float32", [steps, "images"]);
  const { states, velocities } = flowSampler(scope, config, {
    state: input("state", "float32", ["images", tokenWidth(config)]),
    condition: conditionEmbedding(scope, config, conditions),
    pictureOfRow: input("picture_of_row", "int64", ["rows"]),
    times: table("times"),
    a: table("a"),
    b: table("b"),
    c: table("c"),
    branchRows: input("branch_rows", "int64", ["branches", "images"]),
    weights: input("weights", "float32", ["branches", "images"]),
    noise: input("noise", "float32", [steps, "images", tokenWidth(config)]),
  });
  return { states, velocities };
}

/** Noise with draws for every step: those that a sampler does not take have weight 0. [images, wanted, width] */
function fillDraws(
  noise: Float32Array,
  sizes: { readonly images: number; readonly draws: number; readonly wanted: number; readonly width: number },
): Float32Array {
  const { images, draws, wanted, width } = sizes;
  const filled = new Float32Array(images * wanted * width);
  const taken = Math.min(draws, wanted) * width;
  for (let image = 0; image < images; image++) {
    const from = image * draws * width;
    filled.set(noise.subarray(from, from + taken), image * wanted * width);
  }
  return filled;
}

function join(arrays: readonly Float32Array[]): Float32Array {
  return Float32Array.from(arrays.flatMap((array) => [...array]));
}

function ids(shape: readonly number[], values: readonly number[]): HostTensor {
  return { dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) };
}

function floats(shape: readonly number[], data: Float32Array): HostTensor {
  return { dtype: "float32", shape, data };
}
