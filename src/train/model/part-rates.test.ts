import { describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { trainable } from "../optimizer/trainable.ts";
import { partWeights, rateOf } from "./part-rates.ts";

const NAMES = [
  "embed_tokens.weight",
  "layers.1.mlp.up_proj.weight",
  "layers.10.mlp.up_proj.weight",
  "norm.weight",
];
const weights = NAMES.map((name, index) => trainable(name, [1], Float32Array.of(index)));

describe("rates of parts", () => {
  it("follow the longest beginning, which ends where a part of the name does", () => {
    const rates = { layers: 0.5, "layers.1": 0 };
    expect(NAMES.map((name) => rateOf(name, rates))).toEqual([1, 0, 0.5, 1]);
  });

  it("part what is trained from what is frozen", async () => {
    const { trained, frozen, base } = partWeights(weights, { layers: 0 });
    expect(trained.map(({ name }) => name)).toEqual([NAMES[0], NAMES[3]]);
    expect(frozen.map(({ name }) => name)).toEqual([NAMES[1], NAMES[2]]);
    expect(NAMES.map((name) => base?.isTrained(name))).toEqual([true, false, false, true]);
    expect(await base?.weights({ name: NAMES[2]!, dtype: "float32", shape: [1] })).toEqual(
      Float32Array.of(2),
    );
    expect(partWeights(weights, { layers: 0.1 })).toEqual({ trained: weights, frozen: [], base: undefined });
  });

  it("refuse a beginning that no name has, and to train nothing", () => {
    expect(() => partWeights(weights, { layer: 0 })).toThrow(/"layer".*embed_tokens, layers, norm/);
    const all = { embed_tokens: 0, layers: 0, norm: 0 };
    expect(() => partWeights(weights, all)).toThrow(ConfigError);
  });
});
