/** @file The moving average against its recurrence. */
import { expect, it } from "vitest";
import { MovingAverage } from "./ema.ts";
import { trainable } from "./trainable.ts";

it("starts at the weights and follows them", () => {
  const weight = trainable("w", [2], Float32Array.of(1, -2));
  const average = new MovingAverage([weight], 0.75);
  expect([...average.averages[0]!.data]).toEqual([1, -2]);
  weight.data.set([5, 2]);
  // Late enough that the warm-up is over.
  average.update(100);
  expect([...average.averages[0]!.data]).toEqual([2, -1]);
  average.update(101);
  expect([...average.averages[0]!.data]).toEqual([2.75, -0.25]);
  expect([...weight.data]).toEqual([5, 2]);
});

it("warms up, so that 200 updates leave next to nothing of the first weights", () => {
  const weight = trainable("w", [1], Float32Array.of(1));
  const average = new MovingAverage([weight], 0.999);
  weight.data.set([0]);
  for (let update = 1; update <= 200; update++) average.update(update);
  expect(average.averages[0]!.data[0]).toBeLessThan(1e-6);
});
