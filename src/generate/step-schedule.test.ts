import { expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { checkAnnealing, type StepSchedule, stepsAt } from "./step-schedule.ts";

const along = (schedule: StepSchedule, count: number) =>
  Array.from({ length: count }, (_, token) => stepsAt(28, { lastSteps: 10, schedule }, token, count));

it("lets the steps of a token fall from the first to the last", () => {
  expect(along("linear", 4)).toEqual([28, 22, 16, 10]);
  expect(along("two-stage", 4)).toEqual([28, 28, 10, 10]);
  expect(along("two-stage", 5)).toEqual([28, 28, 28, 10, 10]);
  expect(along("linear", 1)).toEqual([28]);
  expect(along("cosine", 1)).toEqual([28]);
  expect(along("cosine", 5)).toEqual([28, 25, 19, 12, 10]);
  expect(along("cosine", 64).slice(0, 4)).toEqual([28, 27, 27, 27]);
  for (const [schedule, mean] of [
    ["linear", 19],
    ["cosine", 18.5],
  ] as const) {
    const steps = along(schedule, 64);
    expect(steps).toEqual([...steps].sort((a, b) => b - a));
    expect(steps.reduce((a, b) => a + b) / 64).toBeCloseTo(mean, 1);
  }
});

it("leaves them alone without annealing", () => {
  expect([0, 3].map((token) => stepsAt(28, undefined, token, 4))).toEqual([28, 28]);
});

it("refuses a last token with more steps than the first", () => {
  expect(() => checkAnnealing(8, { lastSteps: 9, schedule: "linear" }, 1)).toThrow(ConfigError);
  expect(() => checkAnnealing(8, { lastSteps: 8, schedule: "linear" }, 1)).not.toThrow();
  expect(() => checkAnnealing(8, undefined, 1)).not.toThrow();
});

it("names the last steps where they are fewer than the sampler takes", () => {
  const fewer = () => checkAnnealing(8, { lastSteps: 1, schedule: "linear" }, 2);
  expect(fewer).toThrow(ConfigError);
  expect(fewer).toThrow(/^lastSteps: 1 /);
  expect(() => checkAnnealing(8, { lastSteps: 2, schedule: "linear" }, 2)).not.toThrow();
  // What is wrong with the first steps is not said of the last.
  expect(() => checkAnnealing(1, undefined, 2)).not.toThrow();
});
