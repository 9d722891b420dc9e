/**
 * @file Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"
 * (SC 2011): a keyed bijection of a 128-bit counter whose outputs pass as independent uniform bits.
 */

import { InputError } from "../errors.ts";

const ROUNDS = 10;
// The multipliers in 16-bit halves: products of halves fit 32 bits, so no BigInt is needed.
const M0 = 0xd2511f53;
const M0_LOW = 0x1f53;
const M0_HIGH = 0xd251;
const M1 = 0xcd9e8d57;
const M1_LOW = 0x8d57;
const M1_HIGH = 0xcd9e;
/** Key increments: the golden ratio and sqrt(3) - 1, as 32-bit fractions. */
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** Upper 32 bits of the unsigned product of `a` and the constant (high << 16 | low). */
function multiplyHigh(a: number, low: number, high: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const middle = Math.imul(a1, low) >>> 0;
  const carry = (Math.imul(a0, low) >>> 16) + (middle & 0xffff);
  const second = (Math.imul(a0, high) >>> 0) + carry;
  // `second` stays below 2^33, so divide instead of shifting.
  return (Math.imul(a1, high) + (middle >>> 16) + Math.floor(second / 65536)) >>> 0;
}

/** 64-bit key as two words. */
export interface PhiloxKey {
  readonly low: number;
  readonly high: number;
}

/**
 * A key from an integer seed, taken modulo 2^64 (so -1 is a valid seed).
 * Throws InputError for fractions and for numbers beyond the safe integers.
 */
export function philoxKey(seed: bigint | number): PhiloxKey {
  if (typeof seed === "number" && !Number.isSafeInteger(seed)) {
    throw new InputError(`seed ${seed} is not an integer below 2^53`, {
      where: "seed",
      remedy: "give an integer, or a bigint for larger seeds",
    });
  }
  const bits = BigInt.asUintN(64, BigInt(seed));
  return { low: Number(bits & 0xffffffffn), high: Number(bits >> 32n) };
}

/** Writes the four output words for the counter words (c0 lowest) to `out[0..3]`. */
export function philox4x32(
  out: Uint32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  key: PhiloxKey,
): void {
  let x0 = c0 >>> 0;
  let x1 = c1 >>> 0;
  let x2 = c2 >>> 0;
  let x3 = c3 >>> 0;
  let k0 = key.low;
  let k1 = key.high;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(x0, M0_LOW, M0_HIGH);
    const low0 = Math.imul(x0, M0);
    const high1 = multiplyHigh(x2, M1_LOW, M1_HIGH);
    const low1 = Math.imul(x2, M1);
    x0 = (high1 ^ x1 ^ k0) >>> 0;
    x1 = low1 >>> 0;
    x2 = (high0 ^ x3 ^ k1) >>> 0;
    x3 = low0 >>> 0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

/** What the fourth counter word tells apart, so that one seed gives unrelated numbers to each use. */
export const STREAM_SEQUENCE = 0xffffffff;
