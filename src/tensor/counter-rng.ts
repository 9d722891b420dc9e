/**
 * @file Random numbers whose whole state is a key and a position, so that a run that is stopped and resumed
 * draws exactly what the uninterrupted run would have drawn.
 */

import { InputError } from "../errors.ts";
import { type PhiloxKey, philox4x32, philoxKey, STREAM_SEQUENCE } from "./philox.ts";

const TWO_POW_32 = 2 ** 32;
const TWO_POW_MINUS_32 = 2 ** -32;
const TWO_POW_MINUS_24 = 2 ** -24;

/** JSON-serialisable position of a {@link CounterRng}. */
export interface CounterRngState {
  /** Unsigned 64-bit key, decimal: JSON numbers cannot hold it. */
  readonly key: string;
  /** 32-bit words consumed so far. */
  readonly counter: number;
}

function checkCounter(counter: number): void {
  if (!Number.isSafeInteger(counter) || counter < 0) {
    throw new InputError(`counter ${counter} is not a non-negative integer`, { where: "random state" });
  }
}

function fillBlock(words: Uint32Array, key: PhiloxKey, block: number): void {
  philox4x32(words, block >>> 0, Math.floor(block / TWO_POW_32), 0, STREAM_SEQUENCE, key);
}

/** A sequence of random numbers; each method says how many 32-bit words it consumes. */
export class CounterRng {
  readonly #seed: bigint;
  readonly #key: PhiloxKey;
  readonly #words = new Uint32Array(4);
  #block = -1;
  #counter: number;

  /** Starts at word `counter` of the sequence of `key` (any integer, modulo 2^64). */
  constructor(key: bigint | number, counter = 0) {
    this.#key = philoxKey(key);
    this.#seed = BigInt.asUintN(64, BigInt(key));
    checkCounter(counter);
    this.#counter = counter;
  }

  /** Continues from a saved state. Throws InputError if it is not one. */
  static from(state: CounterRngState): CounterRng {
    if (!/^\d{1,20}$/.test(state.key)) {
      throw new InputError(`key "${state.key}" is not a decimal 64-bit integer`, { where: "random state" });
    }
    return new CounterRng(BigInt(state.key), state.counter);
  }

  get state(): CounterRngState {
    return { key: this.#seed.toString(), counter: this.#counter };
  }

  /** Next word, 0 to 2^32 - 1. One word. */
  uint32(): number {
    const block = Math.floor(this.#counter / 4);
    if (block !== this.#block) {
      fillBlock(this.#words, this.#key, block);
      this.#block = block;
    }
    return this.#words[this.#counter++ % 4]!;
  }

  /** Uniform in [0, 1), a multiple of 2^-32. One word. */
  uniform(): number {
    return this.uint32() * TWO_POW_MINUS_32;
  }

  /** Normal N(0, 1). Two words. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log((this.uint32() + 1) * TWO_POW_MINUS_32));
    return radius * Math.cos(2 * Math.PI * TWO_POW_MINUS_32 * this.uint32());
  }

  /** Integer in [0, n), without bias. One word, rarely more. Throws InputError unless 1 <= n <= 2^32. */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_POW_32) {
      throw new InputError(`cannot choose an integer below ${n}`, { where: "random" });
    }
    // Words of the incomplete last run of n are drawn again.
    const limit = TWO_POW_32 - (TWO_POW_32 % n);
    let word = this.uint32();
    while (word >= limit) word = this.uint32();
    return word % n;
  }

  /** Fills with N(0, 1) values. As many words as elements, rounded up to even. */
  fillNormal(target: Float32Array): Float32Array {
    for (let i = 0; i < target.length; i += 2) {
      const radius = Math.sqrt(-2 * Math.log((this.uint32() + 1) * TWO_POW_MINUS_32));
      const angle = 2 * Math.PI * TWO_POW_MINUS_32 * this.uint32();
      target[i] = radius * Math.cos(angle);
      if (i + 1 < target.length) target[i + 1] = radius * Math.sin(angle);
    }
    return target;
  }

  /** Passes over what `fillNormal` would take for `count` elements; returns the state that draws them later. */
  reserveNormal(count: number): CounterRngState {
    const { state } = this;
    this.#counter += count + (count % 2);
    return state;
  }

  /** Fills with uniform values in [0, 1), multiples of 2^-24 so that float32 holds them exactly. A word each. */
  fillUniform(target: Float32Array): Float32Array {
    for (let i = 0; i < target.length; i++) target[i] = (this.uint32() >>> 8) * TWO_POW_MINUS_24;
    return target;
  }

  /** Shuffles in place (Fisher-Yates) and returns the list. About one word per element. */
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const held = list[i]!;
      list[i] = list[j]!;
      list[j] = held;
    }
    return list;
  }
}
