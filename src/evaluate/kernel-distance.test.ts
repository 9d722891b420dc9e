/** @file The kernel distance on made-up features: unbiased, and further for what differs more. */
import { describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import { kernelDistance } from "./kernel-distance.ts";

const WIDTH = 6;

function sample(rng: CounterRng, count: number, shift = 0): Float64Array[] {
  return Array.from({ length: count }, () =>
    Float64Array.from({ length: WIDTH }, () => rng.normal() + shift),
  );
}

describe("kernelDistance", () => {
  it("is zero on average for one distribution, where the biased estimate would not be", () => {
    const rng = new CounterRng(1);
    const values = Array.from({ length: 300 }, () => kernelDistance(sample(rng, 10), sample(rng, 10)).value);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
    // Three standard errors; keeping the diagonal would add about 2 * 7 / 10.
    expect(Math.abs(mean)).toBeLessThan((3 * deviation) / Math.sqrt(values.length));
    expect(values.some((value) => value < 0)).toBe(true);
  });

  it("is zero for copies, and grows with the difference", () => {
    const rng = new CounterRng(2);
    const real = sample(rng, 60);
    expect(kernelDistance(real, real)).toMatchObject({ value: 0, low: 0, high: 0, count: 60 });
    const near = kernelDistance(sample(rng, 60, 0.5), real);
    const far = kernelDistance(sample(rng, 60, 1), real);
    expect(near.low).toBeGreaterThan(0);
    expect(far.low).toBeGreaterThan(near.high);
  });

  it("comes to what plain sums give", () => {
    const [a, b, c] = [1, 2, 4].map((x) => Float64Array.of(x)) as [Float64Array, Float64Array, Float64Array];
    // Pairs (1, 2), (2, 4), (4, 1); k(x, y) = (x y + 1)^3.
    const k = (x: number, y: number): number => (x * y + 1) ** 3;
    const h12 = k(1, 2) + k(2, 4) - k(1, 4) - k(2, 2);
    const h13 = k(1, 4) + k(2, 1) - k(1, 1) - k(4, 2);
    const h23 = k(2, 4) + k(4, 1) - k(2, 1) - k(4, 4);
    expect(kernelDistance([a, b, c], [b, c, a]).value).toBeCloseTo((h12 + h13 + h23) / 3);
  });

  it("refuses sets that are not paired", () => {
    const [x] = sample(new CounterRng(3), 1) as [Float64Array];
    expect(() => kernelDistance([x, x, x], [x, x])).toThrow(InputError);
    expect(() => kernelDistance([x, x], [x, x])).toThrow(InputError);
  });
});
