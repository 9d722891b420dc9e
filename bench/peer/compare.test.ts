import { describe, expect, it } from "vitest";
import { compare } from "./compare.ts";
import type { Decoder } from "./decoder.ts";

/** Steps that take so long; the first of each two is not to count. */
function decoder(...milliseconds: readonly number[]): Decoder {
  let steps = 0;
  return {
    step: async () => (steps++ % 2 === 0 ? 1000 : milliseconds[((steps >> 1) - 1) % milliseconds.length]!),
    [Symbol.asyncDispose]: async () => {},
  };
}

describe("compare", () => {
  it("takes the difference of many and few layers, and sets pairs of a round side by side", async () => {
    const ours = { many: decoder(31, 40, 37), few: decoder(11, 10, 13) };
    const peer = { many: decoder(45, 65, 50), few: decoder(5, 5, 10) };
    expect(await compare(ours, peer, 2, 3)).toEqual({
      // Layers of 10, 15 and 12 beside 20, 30 and 20.
      ours: { least: 10.5, median: 12 },
      peer: { least: 20, median: 20 },
      ratio: { ofLeast: 0.525, median: 0.5, min: 0.5, max: 0.6 },
    });
  });
});
