import { expect, it } from "vitest";
import { CausalMasks, causalMask } from "./attention-mask.ts";

it("builds the mask of rows of one length once", () => {
  const masks = new CausalMasks();
  const first = masks.of(3);
  expect(masks.of(3)).toBe(first);
  expect(masks.of(2)).toEqual(causalMask(2));
  expect(masks.of(3)).toEqual(first);
});
