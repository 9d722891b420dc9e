/** @file Turns a valid file into a nearly valid one: bit flips, cuts, splices, lying length fields. */

import type { CounterRng } from "../../src/tensor/counter-rng.ts";

/** Values at which sizes and counts go wrong. */
const BOUNDARIES: readonly bigint[] = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const NUMBERS_AS_TEXT = [
  "",
  "-1",
  "0",
  "1.5",
  "1e9",
  "4294967296",
  "9007199254740993",
  "77777777777",
] as const;

export interface MutationContext {
  readonly rng: CounterRng;
  /** Other valid files, for splicing. */
  readonly corpus: readonly Uint8Array[];
  /** Pieces of the format's language, inserted or written over. */
  readonly words: readonly Uint8Array[];
}

/** One to four mutations, seldom more. The input is left as it is. */
export function mutate(original: Uint8Array, context: MutationContext): Uint8Array {
  const { rng } = context;
  const rounds = rng.below(8) === 0 ? 5 + rng.below(16) : 1 + rng.below(4);
  let bytes = new Uint8Array(original);
  for (let round = 0; round < rounds; round++) bytes = mutateOnce(bytes, context);
  return bytes;
}

function mutateOnce(bytes: Uint8Array<ArrayBuffer>, context: MutationContext): Uint8Array<ArrayBuffer> {
  const { rng, corpus, words } = context;
  const position = (): number => rng.below(bytes.length + 1);
  const region = (): [number, number] => {
    const start = position();
    // Short regions are as likely as long ones.
    const reach = Math.min(bytes.length - start, 2 ** rng.below(14));
    return [start, start + rng.below(reach + 1)];
  };
  switch (rng.below(10)) {
    case 0:
      return flipBits(bytes, rng);
    case 1:
      return bytes.slice(0, position());
    case 2: {
      const [start, end] = region();
      return join(bytes.subarray(0, start), bytes.subarray(end));
    }
    case 3: {
      const [start, end] = region();
      const at = position();
      return join(bytes.subarray(0, at), bytes.subarray(start, end), bytes.subarray(at));
    }
    case 4: {
      const other = corpus[rng.below(corpus.length)]!;
      const start = rng.below(other.length + 1);
      const end = start + rng.below(Math.min(other.length - start, 4096) + 1);
      const [from, to] = region();
      return join(bytes.subarray(0, from), other.subarray(start, end), bytes.subarray(to));
    }
    case 5:
    case 6:
      return writeBoundary(bytes, rng);
    case 7:
      return replaceNumber(bytes, rng);
    case 8: {
      const word = words.length === 0 ? new Uint8Array(1) : words[rng.below(words.length)]!;
      const at = position();
      const over = rng.below(2) * word.length;
      return join(bytes.subarray(0, at), word, bytes.subarray(Math.min(at + over, bytes.length)));
    }
    default: {
      const [start, end] = region();
      bytes.fill(rng.below(2) === 0 ? rng.below(256) : 0, start, end);
      return bytes;
    }
  }
}

function flipBits(bytes: Uint8Array<ArrayBuffer>, rng: CounterRng): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return bytes;
  for (let flips = 1 + rng.below(8); flips > 0; flips--) {
    bytes[rng.below(bytes.length)]! ^= 1 << rng.below(8);
  }
  return bytes;
}

/** An integer of one to eight bytes, either end first: a boundary value, or one near the file's own size. */
function writeBoundary(bytes: Uint8Array<ArrayBuffer>, rng: CounterRng): Uint8Array<ArrayBuffer> {
  const width = [1, 2, 4, 8][rng.below(4)]!;
  if (bytes.length < width) return bytes;
  const near = BigInt(bytes.length + rng.below(5) - 2);
  const value = rng.below(3) === 0 ? near : BOUNDARIES[rng.below(BOUNDARIES.length)]!;
  const at = rng.below(bytes.length - width + 1);
  const littleEndian = rng.below(2) === 0;
  for (let i = 0; i < width; i++) {
    const shift = BigInt(8 * (littleEndian ? i : width - 1 - i));
    bytes[at + i] = Number((value >> shift) & 0xffn);
  }
  return bytes;
}

/** Digits in text, the length fields of JSON and tar. */
function replaceNumber(bytes: Uint8Array<ArrayBuffer>, rng: CounterRng): Uint8Array<ArrayBuffer> {
  const isDigit = (at: number): boolean => bytes[at]! >= 0x30 && bytes[at]! <= 0x39;
  let start = rng.below(bytes.length + 1);
  const limit = Math.min(bytes.length, start + 4096);
  while (start < limit && !isDigit(start)) start++;
  if (start >= limit) return bytes;
  let end = start;
  while (end < bytes.length && isDigit(end)) end++;
  const text = NUMBERS_AS_TEXT[rng.below(NUMBERS_AS_TEXT.length)]!;
  return join(bytes.subarray(0, start), new TextEncoder().encode(text), bytes.subarray(end));
}

function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}
