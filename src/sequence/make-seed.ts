/** @file Seeds from names and numbers, as published training derives them (docs/nextstep-spec.md 4.4). */

const MODULUS = 2 ** 31;

/**
 * Folds its arguments into a seed of 31 bits: s = 31 s + H(argument) mod 2^31, where H of a text folds its code
 * points the same way and H of an integer is the integer (Python's hash of it, so -1 counts as -2).
 */
export function makeSeed(...parts: readonly (string | number)[]): number {
  let seed = 0;
  for (const part of parts) seed = fold(seed, typeof part === "string" ? hashText(part) : hashInteger(part));
  return seed;
}

function hashText(text: string): number {
  let hash = 0;
  for (const character of text) hash = fold(hash, character.codePointAt(0) ?? 0);
  return hash;
}

function hashInteger(value: number): number {
  const hash = value === -1 ? -2 : value;
  return ((hash % MODULUS) + MODULUS) % MODULUS;
}

/** Stays below 2^36, so it is exact. */
function fold(sum: number, next: number): number {
  return (sum * 31 + next) % MODULUS;
}
