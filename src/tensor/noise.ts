/**
 * @file Noise as a function, not a stream: every normal number of a picture is determined by
 * (seed, picture, token, draw, channel), whatever the batch, the order of work or the worker.
 */

import { InputError } from "../errors.ts";
import { type PhiloxKey, philox4x32, philoxKey } from "./philox.ts";

const TWO_POW_MINUS_32 = 2 ** -32;
/** Box-Muller in place on one block of four uniform words: words (0,1) and (2,3) each give two normals. */
function normalPair(words: Uint32Array, first: number, out: Float32Array, at: number): void {
  // Shifted by one so that the logarithm never sees zero: the uniform lies in (0, 1].
  const radius = Math.sqrt(-2 * Math.log((words[first]! + 1) * TWO_POW_MINUS_32));
  const angle = 2 * Math.PI * TWO_POW_MINUS_32 * words[first + 1]!;
  out[at] = radius * Math.cos(angle);
  if (at + 1 < out.length) out[at + 1] = radius * Math.sin(angle);
}

function checkIndex(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value >= 0xffffffff) {
    throw new InputError(`${name} ${value} is not an index`, { where: "noise" });
  }
}

/** Where in a run a noise vector belongs. */
export interface NoisePlace {
  /** 64-bit seed of the request. */
  readonly seed: bigint | number;
  /** Which picture of the request, from 0. */
  readonly picture?: number;
  /** Raster index of the image token. */
  readonly token: number;
  /** 0: starting state of the token; 1+k: noise of solver step k. */
  readonly draw: number;
}

/** Fills `target` (one value per channel) with N(0, 1) noise for `place` and returns it. Throws InputError. */
export function fillNoise(target: Float32Array, place: NoisePlace): Float32Array {
  const { picture = 0, token, draw } = place;
  checkIndex("picture", picture);
  checkIndex("token", token);
  checkIndex("draw", draw);
  return fillNormalBlocks(target, philoxKey(place.seed), draw, token, picture);
}

/** Noise of one token and draw: `channels` values of N(0, 1). See {@link fillNoise}. */
export function noise(
  seed: bigint | number,
  token: number,
  draw: number,
  channels = 64,
  picture = 0,
): Float32Array {
  return fillNoise(new Float32Array(channels), { seed, picture, token, draw });
}

/**
 * Channel c comes from block floor(c / 4), which is counter word 0; the other words are given.
 * A longer target starts with the same values as a shorter one.
 */
export function fillNormalBlocks(
  target: Float32Array,
  key: PhiloxKey,
  c1: number,
  c2: number,
  c3: number,
): Float32Array {
  const words = new Uint32Array(4);
  for (let at = 0; at < target.length; at += 4) {
    philox4x32(words, at / 4, c1, c2, c3, key);
    normalPair(words, 0, target, at);
    if (at + 2 < target.length) normalPair(words, 2, target, at + 2);
  }
  return target;
}
