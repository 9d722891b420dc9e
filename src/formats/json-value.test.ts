import { expect, it } from "vitest";
import { isSha256, isWholeNumber } from "./json-value.ts";

it("takes whole numbers within both bounds and nothing that only looks like one", () => {
  expect([0, 3, 5].filter((value) => isWholeNumber(value, 0, 5))).toEqual([0, 3, 5]);
  expect([-1, 6, 2.5, "3", null, Number.NaN].filter((value) => isWholeNumber(value, 0, 5))).toEqual([]);
});

it("takes digests in lower case, whole", () => {
  const digest = "0a".repeat(32);
  expect(isSha256(digest)).toBe(true);
  expect([digest.toUpperCase(), digest.slice(1), `${digest}\n`, 7].filter(isSha256)).toEqual([]);
});
