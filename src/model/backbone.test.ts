import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import { input } from "../graph/value.ts";
import { backbone, rotaryTables } from "./backbone.ts";
import { parseNextStepConfig } from "./config.ts";
import { ParameterScope } from "./parameter-scope.ts";

describe("rotaryTables", () => {
  it("holds angles of position times frequency", () => {
    const { cosines, sines } = rotaryTables({ headDim: 6, ropeTheta: 500 }, 40);
    for (const [position, k] of [
      [0, 0],
      [7, 1],
      [39, 2],
    ] as const) {
      const angle = position * 500 ** ((-2 * k) / 6);
      expect(cosines[position * 3 + k]).toBeCloseTo(Math.cos(angle), 5);
      expect(sines[position * 3 + k]).toBeCloseTo(Math.sin(angle), 5);
    }
  });

  it("rounds frequencies and angles to float32 as the published code does", () => {
    const half = 64;
    const position = 20_000;
    const { cosines } = rotaryTables({ headDim: 2 * half, ropeTheta: 1e6 }, position + 1);
    for (const k of [1, 5, 20]) {
      const frequency = Math.fround(1 / Math.fround(1e6 ** Math.fround((2 * k) / 128)));
      const angle = Math.fround(position * frequency);
      expect(cosines[position * half + k]).toBe(Math.fround(Math.cos(angle)));
    }
  });
});

it("refuses a mask of another rank", () => {
  const { config } = parseNextStepConfig({
    hidden_size: 8,
    num_attention_heads: 2,
    intermediate_size: 8,
    num_hidden_layers: 1,
    vocab_size: 8,
  });
  const inputs = {
    embeds: input("embeds", "float32", ["rows", "tokens", 8]),
    positions: input("positions", "int64", ["rows", "tokens"]),
    cosines: input("cosines", "float32", ["positions", 2]),
    sines: input("sines", "float32", ["positions", 2]),
    mask: input("mask", "float32", ["rows", "tokens", "tokens"]),
  };
  expect(() => backbone(new ParameterScope(), config, inputs)).toThrow(ShapeError);
});
