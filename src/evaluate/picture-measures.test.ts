/** @file Measures of a picture against its real one: what they see, and what they must not see. */
import { describe, expect, it } from "vitest";
import { gradientStrength } from "./gradient-strength.ts";
import { residueOnWhite } from "./residue.ts";
import { structuralSimilarity } from "./structural-similarity.ts";
import { blurred, disc, MIDDLE, moved, noisy, painted, scene, wedge } from "./test-pictures.ts";

const real = scene([[wedge([200, 30, 30]), MIDDLE]]);
const small = scene([[disc([20, 60, 200]), [0.25, 0.25, 0.5]]]);

describe("gradientStrength", () => {
  it("does not mind where edges lie, and sees that they are blurred", () => {
    const { all, strong } = gradientStrength(small);
    const elsewhere = gradientStrength(moved(small, 5, 3));
    expect(elsewhere.all / all).toBeCloseTo(1, 5);
    const soft = gradientStrength(blurred(small, 2));
    expect(soft.strong / strong).toBeLessThan(0.85);
  });

  it("takes faint stains for edges, but not for strong ones", () => {
    const { all, strong } = gradientStrength(small);
    const stained = gradientStrength(noisy(small, 5));
    expect(stained.all / all).toBeGreaterThan(1.2);
    expect(Math.abs(stained.strong / strong - 1)).toBeLessThan(0.05);
  });
});

describe("residueOnWhite", () => {
  it("counts levels on the ground alone", () => {
    expect(residueOnWhite(small, small)).toBe(0);
    const grey = painted(64, () => [245, 245, 245]);
    expect(residueOnWhite(grey, small)).toBe(10);
    // Another drawing of the subject's size is no residue.
    const other = scene([[disc([0, 0, 0]), [0.23, 0.25, 0.5]]]);
    expect(residueOnWhite(other, small)).toBe(0);
    const stained = scene([
      [disc([20, 60, 200]), [0.25, 0.25, 0.5]],
      [disc([200, 200, 200]), [0.02, 0.02, 0.1]],
    ]);
    expect(residueOnWhite(stained, small)).toBeGreaterThan(0.5);
  });

  it("has nothing to say where no ground is left", () => {
    const full = painted(64, () => [10, 10, 10]);
    expect(residueOnWhite(full, full)).toBeUndefined();
  });
});

describe("structuralSimilarity", () => {
  it("is 1 for copies and falls with blur and noise", () => {
    expect(structuralSimilarity(real, real)).toBeCloseTo(1, 10);
    const soft = structuralSimilarity(blurred(real), real);
    expect(soft).toBeLessThan(0.99);
    expect(structuralSimilarity(blurred(real, 3), real)).toBeLessThan(soft);
    expect(structuralSimilarity(noisy(real, 20), real)).toBeLessThan(0.8);
  });

  it("is the published formula on plain pictures", () => {
    // Without variance: (2 m n + C1) / (m^2 + n^2 + C1).
    const [m, n] = [100, 120];
    const [a, b] = [m, n].map((level) => painted(16, () => [level, level, level]));
    const c1 = 2.55 ** 2;
    expect(structuralSimilarity(a!, b!)).toBeCloseTo((2 * m * n + c1) / (m * m + n * n + c1), 6);
  });
});
