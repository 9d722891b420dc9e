/** @file Compares numbers with their goldens and says how much of the tolerance they use. */
import type { Tolerance } from "./tolerance.ts";

export type Numbers = ArrayLike<number> | ArrayLike<bigint>;

export interface Comparison {
  /** Largest difference relative to what is allowed: at most 1 is within tolerance. */
  readonly ratio: number;
  /** For people: `3.1e-6 of 6e-5`, `equal`, or what differs. */
  readonly text: string;
}

export interface ComparisonOptions {
  /** Elements that count; others are passed over. */
  readonly counts?: (index: number) => boolean;
  /** Floats only: elements that may be off by `atol`, whatever the tolerance says. */
  readonly loose?: { readonly isLoose: (index: number) => boolean; readonly atol: number };
  /** Bytes only: the golden before rounding and how far it may be off, for tolerances without a share. */
  readonly beforeRounding?: { readonly values: ArrayLike<number>; readonly atol: number };
}

/** Compares as many elements as both have; lengths are the caller's to check. NaN agrees with nothing. */
export function compareNumbers(
  actual: Numbers,
  expected: Numbers,
  tolerance: Tolerance,
  options: ComparisonOptions = {},
): Comparison {
  switch (tolerance.kind) {
    case "equal":
      return compareEqual(actual, expected, options);
    case "close":
      return compareClose(actual, expected, tolerance, options);
    case "steps":
      return compareSteps(actual, expected, tolerance, options);
  }
}

function compareEqual(actual: Numbers, expected: Numbers, { counts }: ComparisonOptions): Comparison {
  for (let i = 0; i < expected.length; i++) {
    if (counts?.(i) === false) continue;
    // Through Number: an id may be an int64 on one side and a number on the other.
    if (Number(actual[i]) !== Number(expected[i])) {
      return { ratio: Infinity, text: `${actual[i]} at ${i}, expected ${expected[i]}` };
    }
  }
  return { ratio: 0, text: "equal" };
}

function compareClose(
  actual: Numbers,
  expected: Numbers,
  { atol, rtol }: { readonly atol: number; readonly rtol: number },
  { counts, loose }: ComparisonOptions,
): Comparison {
  let ratio = 0;
  let error = 0;
  let allowed = atol;
  for (let i = 0; i < expected.length; i++) {
    if (counts?.(i) === false) continue;
    const wanted = Number(expected[i]);
    const difference = Math.abs(Number(actual[i]) - wanted);
    const bound = loose?.isLoose(i) === true ? loose.atol : atol + rtol * Math.abs(wanted);
    const share = difference === 0 ? 0 : difference / bound;
    if (share > ratio || !Number.isFinite(share)) {
      ratio = Number.isNaN(share) ? Infinity : share;
      error = difference;
      allowed = bound;
      if (ratio === Infinity) break;
    }
  }
  return { ratio, text: `${short(error)} of ${short(allowed)}` };
}

function compareSteps(
  actual: Numbers,
  expected: Numbers,
  { maxStep, maxFraction }: { readonly maxStep: number; readonly maxFraction: number | undefined },
  { counts, beforeRounding }: ComparisonOptions,
): Comparison {
  let largest = 0;
  let different = 0;
  let counted = 0;
  let unexplained = 0;
  for (let i = 0; i < expected.length; i++) {
    if (counts?.(i) === false) continue;
    counted++;
    const step = Math.abs(Number(actual[i]) - Number(expected[i]));
    if (step === 0) continue;
    different++;
    if (!(step <= largest)) largest = step;
    if (beforeRounding === undefined || !isNearHalf(beforeRounding.values[i] ?? NaN, beforeRounding.atol))
      unexplained++;
  }
  const fraction = counted === 0 ? 0 : different / counted;
  const bySteps = largest === 0 ? 0 : largest / maxStep;
  const byShare =
    maxFraction === undefined
      ? unexplained > 0
        ? Infinity
        : 0
      : fraction === 0
        ? 0
        : fraction / maxFraction;
  const ratio = Math.max(Number.isNaN(bySteps) ? Infinity : bySteps, byShare);
  const limit = maxFraction === undefined ? "at a half" : `of ${short(maxFraction)}`;
  return { ratio, text: `${largest} of ${maxStep} in ${short(fraction)} ${limit}` };
}

/** Whether a value in [-1, 1] that is `atol` off may round to the next byte. */
function isNearHalf(value: number, atol: number): boolean {
  const byte = (value / 2 + 0.5) * 255;
  const fromHalf = Math.abs(byte - Math.floor(byte) - 0.5);
  return fromHalf <= (atol / 2) * 255;
}

/** Two digits are enough to judge by: `3.1e-6`, `0.0072`, `1`. */
export function short(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  return Math.abs(value) < 1e-3
    ? value.toExponential(1).replace(".0e", "e")
    : String(Number(value.toPrecision(2)));
}
