import { describe, expect, it } from "vitest";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { AttentionMasks } from "./attention-mask.ts";

const TOKENS = 7;

/** Which keys each position sees, one text a row: `1000000 1100000 ...`. */
function visible(mask: { readonly data: ArrayLike<number | bigint> }): string[] {
  const seen = Array.from(mask.data, (value) => (value === 0 ? "1" : "0")).join("");
  return (seen.match(new RegExp(`.{${TOKENS ** 2}}`, "g")) ?? []).map((row) =>
    (row.match(new RegExp(`.{${TOKENS}}`, "g")) ?? []).join(" "),
  );
}

/** The definition, position by position. */
function expected(samples: readonly number[]): string {
  return samples
    .map((sample, query) => samples.map((other, key) => (key <= query && other === sample ? 1 : 0)).join(""))
    .join(" ");
}

describe("AttentionMasks", () => {
  it("builds the mask of rows of one length once", () => {
    const masks = new AttentionMasks();
    const first = masks.causal(TOKENS);
    expect(visible(first)).toEqual([expected([0, 0, 0, 0, 0, 0, 0])]);
    expect(masks.causal(TOKENS)).toBe(first);
    expect(masks.causal(2).shape).toEqual([1, 1, 2, 2]);
    expect(visible(masks.causal(TOKENS))).toEqual(visible(first));
  });

  it("shows a position the earlier ones of its sample, whatever the batch before showed", () => {
    const masks = new AttentionMasks();
    const rng = new CounterRng(1);
    const row = (): number[] => {
      let sample = 0;
      return Array.from({ length: TOKENS }, () => (rng.uniform() < 0.4 ? ++sample : sample));
    };
    const data = masks.isolated(new Int32Array(2 * TOKENS), 2, TOKENS).data;
    for (let batch = 0; batch < 30; batch++) {
      const rows = [row(), row()];
      const mask = masks.isolated(Int32Array.from(rows.flat()), 2, TOKENS);
      expect(visible(mask)).toEqual(rows.map(expected));
      expect(mask.data).toBe(data);
      // One that is hidden is hidden for good: no sum of scores brings it back.
      expect(Math.min(...(mask.data as Float32Array))).toBeLessThan(-1e38);
    }
  });
});
