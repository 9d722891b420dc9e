import { describe, expect, it } from "vitest";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { choosePairs } from "./choose-pairs.ts";

const rng = (seed: number) => new CounterRng(seed);
/** Place 3 is the best, 0 the worst. */
const SIXTEEN = Float64Array.from({ length: 16 }, (_, place) => (5 * place) % 16);

describe("choosePairs", () => {
  it("takes winners of the best quarter and losers of the rest, each of them in time", () => {
    const places = Array.from(SIXTEEN.keys()).sort((a, b) => SIXTEEN[b]! - SIXTEEN[a]!);
    const [winners, losers] = [new Set<number>(), new Set<number>()];
    for (let seed = 0; seed < 200; seed++) {
      const pairs = choosePairs(SIXTEEN, { count: 1 }, rng(seed));
      expect(pairs).toHaveLength(1);
      winners.add(pairs[0]!.winner);
      losers.add(pairs[0]!.loser);
    }
    expect([...winners].sort()).toEqual(places.slice(0, 4).sort());
    expect([...losers].sort()).toEqual(places.slice(4).sort());
  });

  it("gives the same pairs for the same seed, none twice", () => {
    const pairs = choosePairs(SIXTEEN, { count: 30 }, rng(1));
    expect(choosePairs(SIXTEEN, { count: 30 }, rng(1))).toEqual(pairs);
    expect(new Set(pairs.map(({ winner, loser }) => `${winner} ${loser}`)).size).toBe(30);
    expect(choosePairs(SIXTEEN, { count: 1000 }, rng(1))).toHaveLength(4 * 12);
  });

  it("prefers nothing to what is as good", () => {
    expect(choosePairs(new Float64Array(16).fill(1), { count: 3 }, rng(1))).toEqual([]);
    // Ten are as good as the best four: six of them are among the others.
    const ten = Float64Array.from({ length: 16 }, (_, place) => (place < 10 ? 1 : 0));
    for (const { winner, loser } of choosePairs(ten, { count: 100 }, rng(1))) {
      expect(winner).toBeLessThan(4);
      expect(loser).toBeGreaterThanOrEqual(10);
    }
  });

  it("leaves out pairs that are less apart than is asked for", () => {
    const pairs = choosePairs(SIXTEEN, { count: 1000, apart: 9 }, rng(1));
    expect(pairs.length).toBeGreaterThan(0);
    expect(pairs.length).toBeLessThan(4 * 12);
    for (const { winner, loser } of pairs)
      expect(SIXTEEN[winner]! - SIXTEEN[loser]!).toBeGreaterThanOrEqual(9);
    expect(choosePairs(SIXTEEN, { count: 1, apart: 16 }, rng(1))).toEqual([]);
  });

  it("has a winner among few", () => {
    expect(choosePairs(Float64Array.of(0, 1), { count: 5 }, rng(1))).toEqual([{ winner: 1, loser: 0 }]);
    expect(
      choosePairs(Float64Array.of(2, 0, 1), { count: 5 }, rng(1)).every(({ winner }) => winner === 0),
    ).toBe(true);
  });
});
