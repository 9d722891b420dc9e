import { expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { noise } from "../tensor/noise.ts";
import { injectedNoise, seededNoise } from "./token-noise.ts";

it("is a function of seed, token and draw", () => {
  const target = new Float32Array(3 * 64);
  seededNoise(9)(4, target, 64);
  for (let draw = 0; draw < 3; draw++) {
    expect(target.subarray(draw * 64, (draw + 1) * 64)).toEqual(noise(9, 4, draw));
  }
});

it("takes given numbers, as many draws as are asked for", () => {
  const data = Float32Array.from({ length: 2 * 3 * 4 * 2 }, (_, i) => i);
  const [, source] = injectedNoise(
    { data, shape: [2, 3, 4, 2] },
    { pictures: 2, tokens: 3, draws: 3, width: 2 },
  );
  const target = new Float32Array(6);
  source?.(2, target, 2);
  expect([...target]).toEqual([40, 41, 42, 43, 44, 45]);
});

it.each([
  ["pictures", [1, 3, 4, 2]],
  ["tokens", [2, 2, 4, 2]],
  ["draws", [2, 3, 2, 2]],
  ["channels", [2, 3, 4, 1]],
  ["axes", [2, 3, 8]],
])("refuses other %s", (_, shape) => {
  const data = new Float32Array(shape.reduce((a, b) => a * b));
  expect(() => injectedNoise({ data, shape }, { pictures: 2, tokens: 3, draws: 3, width: 2 })).toThrow(
    /give \[2, 3, 3, 2\]/,
  );
});

it("refuses numbers that are not finite", () => {
  const noiseOf = { data: new Float32Array(2).fill(Number.NaN), shape: [1, 1, 1, 2] };
  const expected = { pictures: 1, tokens: 1, draws: 1, width: 2 };
  expect(() => injectedNoise(noiseOf, expected)).toThrow(/not finite/);
});

it("refuses data that is not of its shape", () => {
  const noiseOf = { data: new Float32Array(5), shape: [1, 1, 1, 64] };
  expect(() => injectedNoise(noiseOf, { pictures: 1, tokens: 1, draws: 1, width: 64 })).toThrow(InputError);
});
