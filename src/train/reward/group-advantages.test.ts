import { describe, expect, it } from "vitest";
import { groupOutcomes } from "./group-advantages.ts";

const open = { maxMean: null, minSpread: 0 };

describe("groupOutcomes", () => {
  it("measures each picture against its own group", () => {
    const [first, second] = groupOutcomes(Float64Array.of(1, 3, 10, 30), 2, open);
    expect(first).toMatchObject({ mean: 2, spread: 1, kept: true });
    expect(second).toMatchObject({ mean: 20, spread: 10, kept: true });
    // The floor of 1e-4 takes as much from a spread of 1, and a tenth of it from one of 10.
    expect(first?.advantages[1]).toBeCloseTo(1 / 1.0001, 12);
    expect(second?.advantages[0]).toBeCloseTo(-10 / 10.0001, 12);
  });

  it("rejects groups that hardly differ, and such that are good already", () => {
    const kept = (rewards: readonly number[], bounds: typeof open | { maxMean: number; minSpread: number }) =>
      groupOutcomes(Float64Array.from(rewards), 2, bounds).map((group) => group.kept);
    expect(kept([4, 4, 0, 1], open)).toEqual([false, true]);
    expect(kept([0, 0.2, 0, 1], { maxMean: null, minSpread: 0.1 } as never)).toEqual([false, true]);
    expect(kept([0.8, 1, 0, 1], { maxMean: 0.5, minSpread: 0 })).toEqual([false, true]);
  });

  it("does not blow up differences of rounding", () => {
    const [group] = groupOutcomes(Float64Array.of(1, 1 + 1e-9), 2, open);
    expect(Math.abs(group?.advantages[0] as number)).toBeLessThan(1e-4);
  });
});
