import { expect, it } from "vitest";
import { joinedBytes, joinedFloats } from "./joined.ts";

it("puts arrays one behind the other, in their order", () => {
  const floats = new Float32Array([0, 1.5, -2]);
  expect(joinedFloats([floats.subarray(1), new Float32Array(0), floats])).toEqual(
    new Float32Array([1.5, -2, 0, 1.5, -2]),
  );
  expect(joinedBytes([Uint8Array.of(7), Uint8Array.of(8, 9)])).toEqual(Uint8Array.of(7, 8, 9));
  expect(joinedBytes([])).toEqual(new Uint8Array(0));
});
