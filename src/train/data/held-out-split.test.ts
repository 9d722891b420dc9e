/** @file The split keeps groups together, is decided by names, and leaves no side empty. */
import { describe, expect, it } from "vitest";
import { heldOutNames } from "./held-out-split.ts";

const singles = Array.from({ length: 2000 }, (_, index) => ({ name: `n${index}`, contents: [`c${index}`] }));

describe("heldOutNames", () => {
  it("holds out about the share, whatever the order, and the same of fewer samples", () => {
    const all = heldOutNames(singles, 0.1);
    expect(all.size).toBeGreaterThan(160);
    expect(all.size).toBeLessThan(240);
    expect(heldOutNames(singles.toReversed(), 0.1)).toEqual(all);
    const some = singles.filter((_, index) => index % 3 > 0);
    expect(heldOutNames(some, 0.1)).toEqual(
      new Set(some.map(({ name }) => name).filter((name) => all.has(name))),
    );
  });

  it("keeps together what shares a content over others", () => {
    // Each sample shares one content with the next: ten chains of twenty.
    const chained = Array.from({ length: 200 }, (_, index) => {
      const chain = Math.floor(index / 20);
      return { name: `n${index}`, chain, contents: [`${chain}:${index}`, `${chain}:${index + 1}`] };
    });
    const heldOut = heldOutNames(chained.toReversed(), 0.4);
    for (let chain = 0; chain < 10; chain++) {
      const names = chained.filter((sample) => sample.chain === chain).map(({ name }) => name);
      expect([0, 20]).toContain(names.filter((name) => heldOut.has(name)).length);
    }
    expect(heldOut.size).toBeGreaterThan(0);
  });

  it("leaves no side empty but where there is one group", () => {
    const two = singles.slice(0, 2);
    expect(heldOutNames(two, 1e-9).size).toBe(1);
    expect(heldOutNames(two, 1 - 1e-9).size).toBe(1);
    expect(heldOutNames(singles.slice(0, 1), 0.5).size).toBe(0);
    expect(heldOutNames([], 0.5).size).toBe(0);
  });
});
