/** @file Philox against the published known answers; noise against its statistics and its independence of order. */

import { describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { fillNoise, noise } from "./noise.ts";
import { philox4x32, philoxKey } from "./philox.ts";

describe("philox4x32", () => {
  // kat_vectors of the Random123 distribution, "philox4x32 10": counter, key, expected.
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])("gives the known answer for %j", ([c0, c1, c2, c3], [low, high], expected) => {
    const out = new Uint32Array(4);
    philox4x32(out, c0!, c1!, c2!, c3!, { low: low!, high: high! });
    expect([...out]).toEqual(expected);
  });

  it("agrees with a BigInt implementation on random counters and keys", () => {
    const reference = (counter: bigint[], key: bigint[]): bigint[] => {
      let [a, b, c, d] = counter as [bigint, bigint, bigint, bigint];
      let [k0, k1] = key as [bigint, bigint];
      const mask = 0xffffffffn;
      for (let round = 0; round < 10; round++) {
        const p0 = 0xd2511f53n * a;
        const p1 = 0xcd9e8d57n * c;
        [a, b, c, d] = [(p1 >> 32n) ^ b ^ k0, p1 & mask, (p0 >> 32n) ^ d ^ k1, p0 & mask];
        k0 = (k0 + 0x9e3779b9n) & mask;
        k1 = (k1 + 0xbb67ae85n) & mask;
      }
      return [a, b, c, d];
    };
    const out = new Uint32Array(4);
    let state = [1n, 2n, 3n, 4n];
    for (let i = 0; i < 500; i++) {
      const key = [state[3]!, state[0]!];
      const expected = reference(state, key);
      const [c0, c1, c2, c3] = state.map(Number);
      philox4x32(out, c0!, c1!, c2!, c3!, { low: Number(key[0]), high: Number(key[1]) });
      expect([...out]).toEqual(expected.map(Number));
      state = expected;
    }
  });

  it("takes seeds modulo 2^64 and refuses fractions", () => {
    expect(philoxKey(-1)).toEqual({ low: 0xffffffff, high: 0xffffffff });
    expect(philoxKey(2n ** 64n + 5n)).toEqual({ low: 5, high: 0 });
    expect(philoxKey(2 ** 40 + 7)).toEqual({ low: 7, high: 256 });
    expect(() => philoxKey(0.5)).toThrow(InputError);
    expect(() => philoxKey(2 ** 60)).toThrow(InputError);
  });
});

describe("noise", () => {
  it("depends on every coordinate and on nothing else", () => {
    const base = noise(7, 3, 2);
    expect(noise(7n, 3, 2)).toEqual(base);
    for (const other of [noise(8, 3, 2), noise(7, 4, 2), noise(7, 3, 3), noise(7, 3, 2, 64, 1)]) {
      expect(other.filter((value, channel) => value === base[channel])).toHaveLength(0);
    }
    expect(fillNoise(new Float32Array(64), { seed: 7, token: 3, draw: 2 })).toEqual(base);
  });

  it("keeps a channel's value when more channels are asked for", () => {
    const long = noise(1, 0, 0, 131);
    for (const channels of [0, 1, 2, 3, 5, 64]) {
      expect(noise(1, 0, 0, channels)).toEqual(long.slice(0, channels));
    }
  });

  it("is Box-Muller over the words of the block", () => {
    const words = new Uint32Array(4);
    philox4x32(words, 1, 5, 9, 2, philoxKey(42));
    const u = [...words].map((w) => w / 2 ** 32);
    const radius = Math.sqrt(-2 * Math.log(u[2]! + 2 ** -32));
    const values = noise(42, 9, 5, 8, 2);
    expect(values[6]).toBe(Math.fround(radius * Math.cos(2 * Math.PI * u[3]!)));
    expect(values[7]).toBe(Math.fround(radius * Math.sin(2 * Math.PI * u[3]!)));
  });

  it("has the moments of a standard normal and no correlation between neighbours", () => {
    const tokens = 2000;
    const sums = [0, 0, 0, 0];
    let acrossTokens = 0;
    let acrossChannels = 0;
    let previous: Float32Array | undefined;
    for (let token = 0; token < tokens; token++) {
      const values = noise(123, token, 0);
      for (let c = 0; c < 64; c++) {
        for (let power = 1; power <= 4; power++) sums[power - 1]! += values[c]! ** power;
        if (previous !== undefined) acrossTokens += values[c]! * previous[c]!;
        if (c > 0) acrossChannels += values[c]! * values[c - 1]!;
      }
      previous = values;
    }
    const n = tokens * 64;
    // Five standard errors of each moment: var(x)=1, var(x^2)=2, var(x^3)=15, var(x^4)=96, var(xy)=1.
    const near = (sum: number, mean: number, variance: number): void =>
      expect(Math.abs(sum / n - mean)).toBeLessThan(5 * Math.sqrt(variance / n));
    near(sums[0]!, 0, 1);
    near(sums[1]!, 1, 2);
    near(sums[2]!, 0, 15);
    near(sums[3]!, 3, 96);
    near(acrossTokens, 0, 1);
    near(acrossChannels, 0, 1);
  });

  it("refuses indices that are not indices", () => {
    expect(() => noise(0, -1, 0)).toThrow(InputError);
    expect(() => noise(0, 0, 1.5)).toThrow(InputError);
    expect(() => noise(0, 0, 0, 64, 2 ** 32 - 1)).toThrow(InputError);
  });
});
