/** @file Margins on a line of numbers. */
import { expect, it } from "vitest";
import { margin, SubjectMargins } from "./margin.ts";

const real = [
  { subject: "wedge", feature: Float64Array.of(0) },
  { subject: "ring", feature: Float64Array.of(2) },
  { subject: "disc", feature: Float64Array.of(5) },
];
const margins = new SubjectMargins(real, (a, b) => Math.abs(a[0]! - b[0]!));
const of = (subject: string, place: number): number => margins.of(subject, Float64Array.of(place));

it("is 1 where a thing is met, -1 where another is, and above 0 where it is nearest", () => {
  expect([of("wedge", 0), of("wedge", 2), of("ring", 2)]).toEqual([1, -1, 1]);
  expect(of("wedge", 0.9)).toBeGreaterThan(0);
  expect(of("wedge", 1.1)).toBeLessThan(0);
  expect(margin(0, 0)).toBe(0);
});

it("gives nothing for being far from everything", () => {
  // Nearer to the ring than to the wedge, and yet a better wedge than what is like neither.
  expect(of("wedge", 1.5)).toBe(-0.5);
  expect(of("wedge", 1000)).toBeLessThan(-0.99);
  expect(of("wedge", -1000)).toBeLessThan(-0.99);
});
