import { expect, it } from "vitest";
import { StepClock } from "./step-clock.ts";

it("forgets the first step, in which graphs are built", () => {
  const clock = new StepClock();
  clock.add(60_000);
  expect(clock.meanMs).toBe(60_000);
  clock.add(100);
  clock.add(200);
  expect(clock.meanMs).toBeCloseTo(105, 10);
});
