/** @file Schedules against values worked out by hand from their formulas. */
import { describe, expect, it } from "vitest";
import { type ScheduleConfig, scheduleFactor, scheduleSchema } from "./schedule.ts";

const schedule = (fields: Partial<ScheduleConfig>): ScheduleConfig => scheduleSchema.parse(fields);

describe("scheduleFactor", () => {
  it("rises from 0 over the warm-up and stays for the published cosine with scale 1", () => {
    const config = schedule({ name: "cosine", warmupSteps: 4 });
    const factors = [0, 1, 2, 3, 4, 50, 99].map((step) => scheduleFactor(config, step, 100));
    expect(factors).toEqual([0, 0.25, 0.5, 0.75, 1, 1, 1]);
  });

  it("decays by a cosine to its final factor", () => {
    const config = schedule({ name: "cosine", warmupSteps: 10, finalFactor: 0.1 });
    expect(scheduleFactor(config, 10, 110)).toBe(1);
    expect(scheduleFactor(config, 60, 110)).toBeCloseTo(0.55, 12);
    expect(scheduleFactor(config, 35, 110)).toBeCloseTo(0.9 * 0.5 * (1 + Math.SQRT1_2) + 0.1, 12);
    expect(scheduleFactor(config, 110, 110)).toBeCloseTo(0.1, 12);
  });

  it.each([
    ["constant", {}, [1, 1, 1, 1]],
    ["constant_with_warmup", {}, [0, 0.5, 1, 1]],
    ["linear", {}, [0, 0.5, 1, 0.5]],
    ["polynomial", { power: 2 }, [0, 0.5, 1, 0.25]],
    // Two cycles: the second one starts in the middle.
    ["cosine_with_restarts", { cycles: 2 }, [0, 0.5, 1, 1]],
    // Timescale 2: 1 / sqrt(6 / 2).
    ["inverse_sqrt", {}, [0, 0.5, 1, 1 / Math.sqrt(3)]],
    ["warmup_stable_decay", { decaySteps: 8 }, [0, 0.5, 1, 0.5]],
  ] as const)("%s", (name, fields, expected) => {
    const config = schedule({ name, warmupSteps: name === "constant" ? 0 : 2, finalFactor: 0, ...fields });
    const factors = [0, 1, 2, 6].map((step) => scheduleFactor(config, step, 10));
    factors.forEach((factor, index) => {
      expect(factor).toBeCloseTo(expected[index]!, 12);
    });
  });

  it("never leaves 0 to 1", () => {
    for (const name of scheduleSchema.shape.name.unwrap().options) {
      const config = schedule({ name, warmupSteps: 3, finalFactor: 0.2, cycles: 3, decaySteps: 5 });
      for (let step = 0; step <= 25; step++) {
        const factor = scheduleFactor(config, step, 20);
        expect(factor).toBeGreaterThanOrEqual(0);
        expect(factor).toBeLessThanOrEqual(1);
      }
    }
  });
});
