import { expect, it } from "vitest";
import { floatBytes, floatsOf } from "./float-bytes.ts";

it("keeps every bit, lowest byte first, wherever the bytes begin", () => {
  expect([...floatBytes(new Float32Array([1]))]).toEqual([0, 0, 0x80, 0x3f]);
  const values = new Float32Array([0.1, -0, 1e-40, Number.POSITIVE_INFINITY]);
  const shifted = new Uint8Array([9, ...floatBytes(values)]).subarray(1);
  expect(floatsOf(shifted)).toEqual(values);
});
