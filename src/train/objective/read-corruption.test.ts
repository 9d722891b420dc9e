import { describe, expect, it } from "vitest";
import { CounterRng } from "../../tensor/counter-rng.ts";
import {
  addRasterNoise,
  planReads,
  type ReadCorruption,
  readSources,
  readTokens,
} from "./read-corruption.ts";

const WIDTH = 4;
const TOKENS = 500;
/** Token s of picture p holds p + s / 1000. */
const pictures = [0, 1, 2].map((picture) =>
  Float32Array.from({ length: TOKENS * WIDTH }, (_, i) => picture + Math.floor(i / WIDTH) / 1000),
);

/** Plans and reads all pictures. */
function corrupt(clean: readonly Float32Array[], corruption: ReadCorruption, seed: number): Float32Array[] {
  const counts = clean.map(({ length }) => length / WIDTH);
  const reads = planReads(
    counts.map((tokens) => ({ tokens, predicted: true })),
    WIDTH,
    corruption,
    new CounterRng(seed),
  );
  return reads.map((read, index) => {
    const sources = readSources(read, index);
    return readTokens(read, index, WIDTH, (source) => {
      if (!sources.has(source)) throw new Error(`${source} is no source of ${index}`);
      return clean[source]!;
    });
  });
}

describe("corruption of what is read", () => {
  it("changes nothing when both are off", () => {
    expect(corrupt(pictures, { noise: 0, swap: 0 }, 1)).toEqual(pictures);
  });

  it("leaves pictures alone that are not predicted", () => {
    const both = [true, false].map((predicted) => ({ tokens: TOKENS, predicted }));
    const [first, second] = planReads(both, WIDTH, { noise: 1, swap: 0.4 }, new CounterRng(1));
    expect(first).not.toEqual({ sources: null, noise: null });
    expect(second).toEqual({ sources: null, noise: null });
  });

  it("swaps whole tokens with the same place of the other pictures", () => {
    const before = pictures.map((tokens) => tokens.slice());
    const shares: number[] = [];
    const sources = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const read = corrupt(pictures, { noise: 0, swap: 0.4 }, seed);
      let swapped = 0;
      let torn = 0;
      for (let token = 0; token < TOKENS; token++) {
        const values = read[0]!.subarray(token * WIDTH, (token + 1) * WIDTH);
        const source = Math.round(values[0]! - token / 1000);
        if (values.some((value) => value !== pictures[source]![token * WIDTH])) torn++;
        if (source === 0) continue;
        swapped++;
        sources.add(source);
      }
      expect(torn).toBe(0);
      shares.push(swapped / TOKENS);
    }
    expect(pictures).toEqual(before);
    expect([...sources].sort()).toEqual([1, 2]);
    // Uniform in 0 to 0.4 from picture to picture.
    expect(Math.max(...shares)).toBeLessThan(0.47);
    expect(Math.max(...shares)).toBeGreaterThan(0.3);
    expect(Math.min(...shares)).toBeLessThan(0.1);
    expect(shares.reduce((a, b) => a + b) / shares.length).toBeCloseTo(0.2, 1);
  });

  it("keeps the tokens of a picture that is alone in its size", () => {
    const read = corrupt([pictures[0]!], { noise: 0, swap: 1 }, 1);
    expect(read).toEqual([pictures[0]]);
  });

  it("adds noise of one strength a picture", () => {
    const zero = new Float32Array(TOKENS * WIDTH);
    const strengths = Array.from({ length: 40 }, (_, seed) => {
      const [read] = corrupt([zero], { noise: 0.8, swap: 0 }, seed);
      return Math.sqrt(read!.reduce((sum, value) => sum + value * value, 0) / read!.length);
    });
    expect(Math.max(...strengths)).toBeLessThan(0.85);
    expect(Math.max(...strengths)).toBeGreaterThan(0.6);
    expect(strengths.reduce((a, b) => a + b) / strengths.length).toBeCloseTo(0.4, 1);
  });

  it("lets the published noise grow along the raster of latent pixels", () => {
    const layout = { grid: [8, 6], patch: 2 } as const;
    const channels = 1024;
    const width = channels * 4;
    const tokens = new Float32Array(8 * 6 * width);
    addRasterNoise(tokens, 0.5, layout, new CounterRng(3));
    for (const [token, place] of [
      [0, 0],
      [7, 3],
      [20, 2],
      [47, 3],
    ] as const) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) {
        sum += tokens[token * width + channel * 4 + place]! ** 2;
      }
      const y = 2 * Math.floor(token / 6) + Math.floor(place / 2);
      const x = 2 * (token % 6) + (place % 2);
      const expected = (0.5 * (y * 12 + x)) / (16 * 12 - 1);
      expect(Math.abs(Math.sqrt(sum / channels) - expected)).toBeLessThan(0.12 * expected + 1e-6);
    }
  });
});
