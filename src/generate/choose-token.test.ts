import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { checkTextSampling, chooseToken, type TextSampling } from "./choose-token.ts";

const PROBABILITIES = [0.1, 0.4, 0.05, 0.3, 0.15];
const LOGITS = Float32Array.from(PROBABILITIES, (p) => Math.log(p) + 3);

/** How often each id is chosen over evenly spread random numbers. */
function shares(sampling: TextSampling, draws = 10_000): number[] {
  const counts = new Array<number>(PROBABILITIES.length).fill(0);
  for (let i = 0; i < draws; i++) {
    const id = chooseToken(LOGITS, sampling, (i + 0.5) / draws);
    counts[id] = (counts[id] ?? 0) + 1;
  }
  return counts.map((count) => count / draws);
}

function expectShares(sampling: TextSampling, expected: number[]): void {
  shares(sampling).forEach((share, id) => {
    expect(share).toBeCloseTo(expected[id] as number, 3);
  });
}

describe("chooseToken", () => {
  it("takes the best without temperature, the first of equal ones", () => {
    expect(chooseToken(LOGITS, {}, 0.99)).toBe(1);
    expect(chooseToken(LOGITS, { temperature: 2, topK: 1 }, 0.99)).toBe(1);
    expect(chooseToken(Float32Array.of(1, 5, 5), {}, 0)).toBe(1);
  });

  it("draws by the probabilities", () => {
    expectShares({ temperature: 1 }, PROBABILITIES);
    const squares = PROBABILITIES.map((p) => p * p);
    const total = squares.reduce((a, b) => a + b);
    expectShares(
      { temperature: 0.5 },
      squares.map((p) => p / total),
    );
  });

  it("keeps to the k best, and to the best that reach p", () => {
    expectShares({ temperature: 1, topK: 2 }, [0, 4 / 7, 0, 3 / 7, 0]);
    expectShares({ temperature: 1, topP: 0.71 }, [0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85]);
    expectShares({ temperature: 1, topP: 0.01 }, [0, 1, 0, 0, 0]);
    expectShares({ temperature: 1, topK: 3, topP: 0.5 }, [0, 4 / 7, 0, 3 / 7, 0]);
  });
});

it.each([
  { temperature: -1 },
  { temperature: Number.NaN },
  { topK: 0 },
  { topK: 1.5 },
  { topP: 0 },
  { topP: 1.1 },
])("refuses %o", (sampling) => {
  expect(() => checkTextSampling(sampling)).toThrow(ConfigError);
});
