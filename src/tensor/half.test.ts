/** @file The 16-bit conversions against the definitions of the formats, over every bit pattern. */

import { describe, expect, it } from "vitest";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./half.ts";

const ALL = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** IEEE 754 by the book: the number behind `bits` with the given field widths. */
function decode(bits: number, exponentBits: number, mantissaBits: number): number {
  const sign = bits >>> (exponentBits + mantissaBits) === 1 ? -1 : 1;
  const exponent = (bits >>> mantissaBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

const FORMATS = [
  { name: "float16", exponent: 5, mantissa: 10, widen: float16ToFloat32, narrow: float32ToFloat16 },
  { name: "bfloat16", exponent: 8, mantissa: 7, widen: bfloat16ToFloat32, narrow: float32ToBfloat16 },
] as const;

describe.each(FORMATS)("$name", ({ exponent, mantissa, widen, narrow }) => {
  const infinity = (2 ** exponent - 1) * 2 ** mantissa;

  it("widens every pattern to the number it stands for", () => {
    const wide = widen(ALL);
    let wrong = 0;
    for (let bits = 0; bits < 65536; bits++) {
      if (!Object.is(wide[bits], decode(bits, exponent, mantissa))) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it("narrows every widened pattern back to itself, NaN to NaN", () => {
    const back = narrow(widen(ALL));
    let wrong = 0;
    for (let bits = 0; bits < 65536; bits++) {
      const magnitude = bits & 0x7fff;
      if (magnitude > infinity ? (back[bits]! & 0x7fff) <= infinity : back[bits] !== bits) wrong++;
      if (((back[bits]! ^ bits) & 0x8000) !== 0) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it("rounds to nearest, ties to even, around every midpoint", () => {
    const inputs: number[] = [];
    const expected: number[] = [];
    const bits = new Uint32Array(1);
    const value = new Float32Array(bits.buffer);
    const next = (x: number, step: number): number => {
      value[0] = x;
      bits[0] = bits[0]! + step;
      return value[0];
    };
    for (let low = 0; low < infinity; low++) {
      const a = decode(low, exponent, mantissa);
      // The value one past the largest finite number is where infinity would continue the grid.
      const b =
        low + 1 === infinity
          ? 2 * a - decode(low - 1, exponent, mantissa)
          : decode(low + 1, exponent, mantissa);
      const middle = (a + b) / 2;
      const even = low % 2 === 0 ? low : low + 1;
      if (Math.fround(middle) !== middle) continue; // narrower than float32: nothing to tie (bfloat16 subnormals)
      inputs.push(next(middle, -1), middle, next(middle, 1));
      expected.push(low, even, low + 1);
    }
    const up = narrow(Float32Array.from(inputs));
    const down = narrow(Float32Array.from(inputs, (x) => -x));
    let wrong = 0;
    for (let i = 0; i < expected.length; i++) {
      if (up[i] !== expected[i] || down[i] !== (expected[i]! | 0x8000)) wrong++;
    }
    expect(inputs.length).toBeGreaterThan(90_000);
    expect(wrong).toBe(0);
  });

  it("handles overflow, zeros, NaN payloads in the dropped bits, and writes into a given target", () => {
    const bits = Uint32Array.from([
      0x7f800001, 0xff800001, 0x7f7fffff, 0x7f800000, 0, 0x80000000, 1, 0x80000001,
    ]);
    const target = new Uint16Array(10);
    const out = narrow(new Float32Array(bits.buffer), target);
    expect(out).toBe(target);
    expect(out[0]! & 0x7fff).toBeGreaterThan(infinity);
    expect(out[1]! & 0x7fff).toBeGreaterThan(infinity);
    expect(out[1]! & 0x8000).toBe(0x8000);
    expect([...out.subarray(2)]).toEqual([infinity, infinity, 0, 0x8000, 0, 0x8000, 0, 0]);
  });
});
