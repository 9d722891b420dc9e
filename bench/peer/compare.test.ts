import { describe, expect, it } from "vitest";
import { compare } from "./compare.ts";
import type { Decoder } from "./decoder.ts";

/** Steps that take so long; the first of each two is not to count. */
function decoder(clock: { elapsed: number }, ...milliseconds: readonly number[]): Decoder {
  let steps = 0;
  return {
    step: async () => {
      clock.elapsed += steps++ % 2 === 0 ? 1000 : milliseconds[((steps >> 1) - 1) % milliseconds.length]!;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

describe("compare", () => {
  it("takes the difference of many and few layers, and sets pairs of a round side by side", async () => {
    const clock = { elapsed: 0 };
    const ours = { many: decoder(clock, 31, 40, 37), few: decoder(clock, 11, 10, 13) };
    const peer = { many: decoder(clock, 45, 65, 50), few: decoder(clock, 5, 5, 10) };
    const now = () => ({ elapsed: clock.elapsed, processor: 2 * clock.elapsed });
    // Layers of 10, 15 and 12 beside 20, 30 and 20.
    const ratio = { ofLeast: 0.525, median: 0.5, min: 0.5, max: 0.6 };
    expect(await compare(ours, peer, 2, 3, now)).toEqual({
      elapsed: { ours: { least: 10.5, median: 12 }, peer: { least: 20, median: 20 }, ratio },
      processor: { ours: { least: 21, median: 24 }, peer: { least: 40, median: 40 }, ratio },
    });
  });
});
