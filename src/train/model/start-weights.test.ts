/** @file What training starts from: nothing of a start is lost, and nothing but image modules is made up beside it. */
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { parseNextStepConfig } from "../../model/config.ts";
import { modelParameters } from "../../model/parameter-list.ts";
import { initialModelWeights, type StartModel } from "./start-weights.ts";

const json = {
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 20,
  fm_head_dim: 12,
  fm_head_layers: 2,
  latent_channels: 2,
};

const parametersOf = (fields: Readonly<Record<string, number>> = {}) =>
  modelParameters(parseNextStepConfig({ ...json, ...fields }).config);

/** A start whose weights count up from 1, without those that `leftOut` matches. */
function startOf(fields: Readonly<Record<string, number>> = {}, leftOut = /^$/): StartModel {
  const kept = parametersOf(fields).filter(({ name }) => !leftOut.test(name));
  const entries = new Map(kept.map(({ name, shape }) => [name, { shape }]));
  return {
    tensors: {
      entries,
      read: async (name) => {
        const size = entries.get(name)!.shape.reduce((a, b) => a * b, 1);
        return Float32Array.from({ length: size }, (_, i) => i + 1);
      },
    },
  };
}

describe("initialModelWeights", () => {
  it.each([
    ["of the backbone", { num_hidden_layers: 1 }, "layers.1."],
    ["of the head", { fm_head_layers: 1 }, "image_head.net.res_blocks.1."],
  ])("refuses a start with more layers %s, by name", async (_where, fields, name) => {
    const refused = initialModelWeights(parametersOf(fields), 1, startOf());
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(/has no place in the model/);
    await expect(refused).rejects.toThrow(name);
  });

  it("refuses a start with fewer layers of the backbone, by name", async () => {
    const refused = initialModelWeights(parametersOf(), 1, startOf({ num_hidden_layers: 1 }));
    await expect(refused).rejects.toThrow(/^layers\.1\..*: is not among the start weights/);
  });

  it("takes every weight of the start, and makes those of image modules that it lacks", async () => {
    const weights = await initialModelWeights(parametersOf(), 1, startOf({}, /^image_/));
    const isCount = ({ data }: { readonly data: Float32Array }): boolean =>
      data.every((value, i) => value === i + 1);
    expect(weights.filter(isCount).map(({ name }) => name)).toEqual(
      parametersOf().flatMap(({ name }) => (name.startsWith("image_") ? [] : [name])),
    );
  });

  it("continues tables that are too short for the vocabulary", async () => {
    const weights = await initialModelWeights(parametersOf({ vocab_size: 25 }), 1, startOf());
    const table = weights.find(({ name }) => name === "embed_tokens.weight")!;
    expect(table.shape).toEqual([25, 16]);
    expect([...table.data.subarray(319, 320)]).toEqual([320]);
    expect(Math.abs(table.data[320]!)).toBeLessThan(0.2);
  });
});
