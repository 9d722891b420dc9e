import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { branchWeights, type CfgSchedule, guidanceAt } from "./guidance.ts";

const at = (cfg: number, cfgImg: number, sampler: "v1" | "sde", token: number) =>
  guidanceAt({ cfg, cfgImg, schedule: "linear" }, sampler, token, 4);

describe("guidanceAt", () => {
  it("stays with constant", () => {
    expect(guidanceAt({ cfg: 5, cfgImg: 2, schedule: "constant" }, "v1", 3, 4)).toEqual({
      cfg: 5,
      cfgImg: 2,
    });
  });

  it("falls towards 1 with the first samplers, and rises from half with the later ones", () => {
    expect([0, 1, 2, 3].map((token) => at(5, 2, "v1", token).cfg)).toEqual([5, 4, 3, 2]);
    expect([0, 1, 2, 3].map((token) => at(5, 2, "sde", token).cfg)).toEqual([2.5, 2.5, 3, 4]);
    expect(at(5, 2, "v1", 2).cfgImg).toBe(1.5);
    expect(at(5, 3, "sde", 0).cfgImg).toBe(1.5);
    expect(at(5, 1, "sde", 0).cfgImg).toBe(1);
  });

  it("refuses other schedules by name", () => {
    const schedule = "cosine" as CfgSchedule;
    expect(() => guidanceAt({ cfg: 1, cfgImg: 1, schedule }, "v1", 0, 1)).toThrow(ConfigError);
  });
});

describe("branchWeights", () => {
  it("give the published combinations", () => {
    const [cond, image, none] = [0.3, -0.7, 1.1];
    const [a = 0, b = 0] = branchWeights(2, { cfg: 7.5, cfgImg: 1 });
    expect(a * cond + b * none).toBeCloseTo(none + 7.5 * (cond - none), 12);
    const [x = 0, y = 0, z = 0] = branchWeights(3, { cfg: 7.5, cfgImg: 2 });
    expect(x * cond + y * image + z * none).toBeCloseTo(none + 2 * (image - none) + 7.5 * (cond - image), 12);
    expect(branchWeights(1, { cfg: 1, cfgImg: 3 })).toEqual([1]);
  });

  it("leave the condition alone where a schedule reaches 1", () => {
    expect(branchWeights(2, at(2, 1, "sde", 0))).toEqual([1, 0]);
  });
});
