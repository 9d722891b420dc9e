import { describe, expect, it } from "vitest";
import { activationBytes } from "./activation-memory.ts";
import { add, silu } from "./operators/elementwise.ts";
import { concat } from "./operators/layout.ts";
import { matmul } from "./operators/matmul.ts";
import { reshape } from "./operators/reshape.ts";
import { input, parameter } from "./value.ts";

const sizes = new Map([["rows", 10]]);
const x = input("x", "float32", ["rows", 4]); // 160 bytes, which do not count
const weight = parameter("w", [4, 4]);

describe("activationBytes", () => {
  it("holds a value from where it is computed to where it is last needed", () => {
    const first = matmul(x, weight);
    expect(activationBytes([first], sizes)).toBe(160);
    const second = matmul(first, weight);
    const third = matmul(second, weight);
    expect(activationBytes([third], sizes)).toBe(320);
    expect(activationBytes([concat([third, first], 0)], sizes)).toBe(160 * 4);
    expect(activationBytes([first, third], sizes)).toBe(480);
  });

  it("writes over what nobody needs any more, and sees through reshapes", () => {
    const product = matmul(x, weight);
    expect(activationBytes([silu(product)], sizes)).toBeLessThanOrEqual(320);
    expect(activationBytes([add(product, x)], sizes)).toBe(160);
    expect(activationBytes([add(product, x), product], sizes)).toBe(320);
    const view = reshape(product, ["4*rows"]);
    expect(activationBytes([view], sizes)).toBe(160);
    expect(activationBytes([matmul(reshape(view, ["rows", 4]), weight)], sizes)).toBe(320);
  });

  it("grows with the sizes", () => {
    const scores = matmul(x, x, { transB: true });
    expect(activationBytes([scores], new Map([["rows", 100]]))).toBe(40_000);
  });
});
